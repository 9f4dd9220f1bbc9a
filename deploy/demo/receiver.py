"""The telephones of the people on call: receives their signed webhooks and verifies the signatures."""

import asyncio
import json
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_bytes
from typing import Any

import uvicorn
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deploy.embedded.ports import LOOPBACK

ON_CALL = {"on_call", "backup", "supervisor"}


@dataclass
class Receiver:
    """`rang` counts pages by contact. `host` is the address for alerts. `refused` counts bad signatures."""

    port: int
    host: str = LOOPBACK
    secret: str = field(default_factory=lambda: "whsec_" + b64encode(token_bytes(32)).decode(), repr=False)
    rang: Counter[str] = field(default_factory=Counter)
    refused: int = 0

    async def receive(self, request: Request) -> Response:
        try:
            Webhook(self.secret).verify(await request.body(), dict(request.headers))
        except WebhookVerificationError:
            self.refused += 1
            return Response(status_code=401)
        self.rang[request.path_params["contact"]] += 1
        return Response(status_code=204)

    def settings(self, on_call_file: Path, folder: Path) -> dict[str, str]:
        """Settings of alerts that give the people on call a telephone in addition to their inbox."""
        policy = json.loads(on_call_file.read_text())
        for contacts in policy["clinics"].values():
            for contact in contacts:
                if ON_CALL & set(contact["roles"]):
                    contact["channels"] = [self._channel(contact)]
        chosen = folder / "on_call.json"
        chosen.write_text(json.dumps(policy))
        return {
            "on_call_file": str(chosen),
            "webhook_secret": self.secret,
            "allow_private_webhooks": "true",
        }

    def _channel(self, contact: dict[str, Any]) -> dict[str, str]:
        return {"kind": "webhook", "to": self.address(contact["id"])}

    def address(self, contact_id: str) -> str:
        return f"http://{self.host}:{self.port}/pages/{contact_id}"


@asynccontextmanager
async def listening(receiver: Receiver, on: str = LOOPBACK) -> AsyncIterator[None]:
    """Serve at the address `on` until the block ends."""
    app = Starlette(routes=[Route("/pages/{contact}", receiver.receive, methods=["POST"])])
    config = uvicorn.Config(app, host=on, port=receiver.port, log_config=None, access_log=False)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())  # `serve` would install signal handlers over ours
    try:
        yield
    finally:
        server.should_exit = True
        await serving
