"""Classifies MongoDB's errors for callers: transient, duplicate key or refusal."""

from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConnectionFailure,
    DuplicateKeyError,
    ExecutionTimeout,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WriteConcernError,
)

DUPLICATE_KEY = 11000
UNAUTHORIZED, AUTHENTICATION_FAILED = 13, 18
TRANSACTION_TOO_OLD = 290


class StandaloneServerError(RuntimeError):
    """The server is not a replica set, so it has no transactions."""


def is_transient(error: BaseException) -> bool:
    """Whether a retry of the same work may succeed."""
    if isinstance(
        error,
        AutoReconnect
        | ConnectionFailure
        | NetworkTimeout
        | ServerSelectionTimeoutError
        | WriteConcernError
        | ExecutionTimeout,
    ):
        return True
    if isinstance(error, OperationFailure) and error.code == TRANSACTION_TOO_OLD:
        return True  # the server ended it during an operation, and sets no label for that
    return isinstance(error, PyMongoError) and (
        error.has_error_label("TransientTransactionError")
        or error.has_error_label("UnknownTransactionCommitResult")
        or error.has_error_label("RetryableWriteError")
    )


def is_duplicate_key(error: BaseException) -> bool:
    if isinstance(error, DuplicateKeyError):
        return True
    return isinstance(error, BulkWriteError) and any(
        failed.get("code") == DUPLICATE_KEY for failed in error.details.get("writeErrors", [])
    )


def refusal(error: BaseException) -> str:
    """Return why the server refuses us permanently, or an empty string if it does not."""
    code = error.code if isinstance(error, OperationFailure) else None
    if code == AUTHENTICATION_FAILED:
        return "MongoDB refuses its user or password"
    if code == UNAUTHORIZED:
        return "its user may not use this service's database (it needs readWrite there)"
    return ""
