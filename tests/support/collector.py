"""A trace collector that keeps what services export over OTLP/HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request, Response
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.http_wire import serving


@dataclass(frozen=True)
class Exported:
    """One span, with the fields needed to follow a trace."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]


@dataclass
class Collector:
    url: str = ""
    spans: list[Exported] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)

    async def take(self, request: Request) -> Response:
        body = await request.body()
        self.raw.append(body)
        exported = ExportTraceServiceRequest.FromString(body)
        for resource in exported.resource_spans:
            named = {a.key: a.value.string_value for a in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [_read(named["service.name"], span) for span in scope.spans]
        return Response(status_code=200, media_type="application/x-protobuf")

    def named(self, name: str) -> list[Exported]:
        return [span for span in self.spans if span.name == name]

    def trace(self, trace_id: str) -> list[Exported]:
        return [span for span in self.spans if span.trace_id == trace_id]


def _read(service: str, span: Any) -> Exported:
    attributes = {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in span.attributes}
    ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
    return Exported(service, span.name, *ids, attributes)


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    collector = Collector()
    app = FastAPI()
    app.add_api_route("/v1/traces", collector.take, methods=["POST"])
    async with serving(app) as port:
        collector.url = f"http://127.0.0.1:{port}"
        yield collector
