"""MongoDB: the only package that imports a driver, except `shared.raw`, which reads and writes backups.

Motor is the default; `driver="pymongo"` takes PyMongo's own async client instead (Motor's critical
fixes end on 14 May 2027). The differences between the two end here.
"""

from bson import ObjectId
from pymongo import ASCENDING, DeleteOne, InsertOne, ReplaceOne, ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure, PyMongoError

from shared.mongo.database import COUNTING_SECONDS, MongoDatabase, patience
from shared.mongo.documents import CODEC, Document, Index
from shared.mongo.errors import StandaloneServerError, is_duplicate_key, is_transient, refusal
from shared.mongo.transactions import Driver, Txn

__all__ = [
    "ASCENDING",
    "CODEC",
    "COUNTING_SECONDS",
    "BulkWriteError",
    "DeleteOne",
    "Document",
    "Driver",
    "DuplicateKeyError",
    "Index",
    "InsertOne",
    "MongoDatabase",
    "ObjectId",
    "OperationFailure",
    "PyMongoError",
    "ReplaceOne",
    "ReturnDocument",
    "StandaloneServerError",
    "Txn",
    "UpdateOne",
    "is_duplicate_key",
    "is_transient",
    "patience",
    "refusal",
]
