"""Builds a service's HTTP app: the same health checks, metrics, documents, limits and errors in each."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import APIRouter, FastAPI
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shared.auth import Verifier
from shared.http import errors, openapi
from shared.http.admission import Admission
from shared.http.body import Body
from shared.http.context import Context
from shared.http.rates import Rates
from shared.http.routes import Routes

BODY_SECONDS = 10.0
MAX_BODY_BYTES = 262_144

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


class Api(FastAPI):
    """FastAPI whose OpenAPI document also covers the middleware."""

    def openapi(self) -> dict[str, Any]:
        before = self.openapi_schema
        document = super().openapi()
        return document if document is before else openapi.complete(document)


def create_app(
    *,
    service: str,
    title: str,
    version: str,
    routers: Sequence[APIRouter],
    verifier: Verifier,
    readiness: Callable[[], Awaitable[dict[str, bool]]],
    liveness: Callable[[], bool],
    asyncapi: Callable[[], dict[str, Any]],
    lifespan: Lifespan | None = None,
    max_body_bytes: int = MAX_BODY_BYTES,
    body_seconds: float = BODY_SECONDS,
    rates: Rates | None = None,
) -> FastAPI:
    """Build a service's app.

    Health, metrics and the two contract documents need no token: they hold no person's data. Every other
    route requires one, even if it forgot `call_for`, unless it is marked `x-open`.
    """
    app = Api(
        title=title,
        version=version,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    for router in routers:
        app.include_router(router)
    app.include_router(_operations(readiness, liveness, asyncapi))
    errors.install(app)
    # The middleware added last runs first: context, then admission, then the body.
    app.add_middleware(Body, max_bytes=max_body_bytes, max_seconds=body_seconds)
    app.add_middleware(Admission, routes=Routes(app), verifier=verifier, rates=rates or Rates())
    app.add_middleware(Context, service=service)
    return app


def _operations(
    readiness: Callable[[], Awaitable[dict[str, bool]]],
    liveness: Callable[[], bool],
    asyncapi: Callable[[], dict[str, Any]],
) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/health/live")
    async def live() -> JSONResponse:
        alive = liveness()
        return JSONResponse({"alive": alive}, 200 if alive else 503)

    @router.get("/health/ready")
    async def ready() -> JSONResponse:
        checks = await readiness()
        well = all(checks.values())
        red = sorted(name for name, passed in checks.items() if not passed)
        return JSONResponse({"ready": well, "red": red, "checks": checks}, 200 if well else 503)

    @router.get("/health/serving")
    async def serving() -> JSONResponse:
        """Whether user input can be stored; without Kafka it is announced later."""
        stores = (await readiness())["database"]
        return JSONResponse({"serving": stores}, 200 if stores else 503)

    @router.get("/metrics")
    async def metrics(request: Request) -> Response:
        """Return metrics in the requested format; exemplars exist in OpenMetrics only."""
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(REGISTRY), headers={"Content-Type": media_type})

    @router.get("/asyncapi.json")
    async def asyncapi_document() -> JSONResponse:
        return JSONResponse(asyncapi())

    return router
