"""Signed webhooks (Standard Webhooks): exact bytes, the same id on every attempt, no redirects."""

from base64 import b64decode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from time import monotonic

import httpx2
import orjson
from standardwebhooks import Webhook

from services.alerts.channels import Message, Undelivered
from services.alerts.channels.addresses import Resolve, is_public, resolve
from shared.clock import Clock


class WebhookChannel:
    """`clock` must be the real one: receivers refuse signatures older than five minutes.

    `allow_private`: development only; also lets plain http through.
    """

    def __init__(
        self,
        secret: str,
        *,
        clock: Clock,
        allow_private: bool = False,
        timeout: float = 5.0,
        resolve: Resolve = resolve,
    ) -> None:
        self.timeout = timeout
        self._signer, self._clock = Webhook(secret), clock
        self._allow_private, self._resolve = allow_private, resolve
        self._tls = httpx2.create_ssl_context(trust_env=False)
        """Built once: reading the certificates takes longer than the rest of an attempt."""

    async def send(self, to: str, message: Message) -> None:
        url = self._checked(to)
        until = monotonic() + self.timeout
        addresses = await self._addresses(url)
        body = _body(message)
        headers = {"host": url.netloc.decode(), **self._signed(message.delivery_id, body)}
        try:
            status = await self._tried(url, addresses, body, headers, until)
        except httpx2.TimeoutException:
            raise Undelivered("timed_out") from None
        except httpx2.TransportError:
            raise Undelivered("connection_failed") from None
        _judge(status)

    def _checked(self, to: str) -> httpx2.URL:
        """Raises `Undelivered("address_invalid")` for anything but https (http in development)."""
        try:
            url = httpx2.URL(to)
        except httpx2.InvalidURL:
            raise Undelivered("address_invalid", for_good=True) from None
        schemes = ("https", "http") if self._allow_private else ("https",)
        if url.scheme not in schemes or not url.host or url.userinfo:
            raise Undelivered("address_invalid", for_good=True)
        return url

    async def _addresses(self, url: httpx2.URL) -> list[str]:
        """Resolve once, check, and return the addresses to connect to. The name is never resolved again."""
        addresses = await self._resolve(url.host, url.port or (443 if url.scheme == "https" else 80))
        if not addresses:
            raise Undelivered("address_unresolvable")
        if not self._allow_private and not all(is_public(address) for address in addresses):
            raise Undelivered("address_private", for_good=True)
        return list(dict.fromkeys(addresses))

    def _signed(self, delivery_id: str, body: bytes) -> dict[str, str]:
        now = self._clock.now()
        return {
            "content-type": "application/json",
            "user-agent": "kith-alerts",
            "webhook-id": delivery_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(delivery_id, now, body.decode()),
        }

    async def _tried(
        self, url: httpx2.URL, addresses: Sequence[str], body: bytes, headers: Mapping[str, str], until: float
    ) -> int:
        """The status of the first address that answers. A failed connection leaves time for the next address.

        One that connects but stays silent may have accepted the message, so it gets all the time left.
        """
        *others, last = addresses
        for position, address in enumerate(others):
            left = max(0.0, until - monotonic())
            patience = httpx2.Timeout(left, connect=left / (len(addresses) - position))
            with suppress(httpx2.NetworkError, httpx2.RemoteProtocolError, httpx2.ConnectTimeout):
                return await self._post(url, address, body, headers, patience)
        patience = httpx2.Timeout(max(0.0, until - monotonic()))
        return await self._post(url, last, body, headers, patience)

    async def _post(
        self,
        url: httpx2.URL,
        address: str,
        body: bytes,
        headers: Mapping[str, str],
        patience: httpx2.Timeout,
    ) -> int:
        async with (
            httpx2.AsyncClient(
                timeout=patience, follow_redirects=False, trust_env=False, verify=self._tls
            ) as client,
            client.stream(
                "POST",
                url.copy_with(host=address),
                content=body,
                headers=dict(headers),
                extensions={"sni_hostname": url.host},
            ) as response,
        ):
            return response.status_code


def is_strong(secret: str) -> bool:
    """Whether a secret is `whsec_` and 24 to 64 bytes in base64, as the standard asks."""
    try:
        key = b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        return False
    return secret.startswith("whsec_") and len(key) in range(24, 65)


def _body(message: Message) -> bytes:
    return orjson.dumps(
        {
            "type": "alert",
            "alert_ids": list(message.alert_ids),
            "severity": message.severity,
            "link": message.link,
        }
    )


def _judge(status: int) -> None:
    """2xx means delivered, 410 asks never to send again. Only the status of the answer is read."""
    if status in range(200, 300):
        return
    if status in range(300, 400):
        raise Undelivered("redirected", for_good=True)
    if status == 410:
        raise Undelivered("gone", for_good=True)
    raise Undelivered("answered_client_error" if status < 500 else "answered_server_error")
