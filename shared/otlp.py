"""The only module that imports OpenTelemetry. A thread of its SDK sends spans over OTLP/HTTP."""

from importlib.metadata import PackageNotFoundError, version

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from shared.settings import Settings
from shared.tracing import Attributes, Kind

KINDS: dict[Kind, SpanKind] = {
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}
EXPORT_SECONDS = 5
FLUSH_MS = 2000


class Exporting:
    """Starts spans. Spans that cannot be sent are dropped: tracing never delays the traced work."""

    def __init__(self, settings: Settings, service: str) -> None:
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(settings.otlp_share)),
            resource=Resource.create(
                {
                    "service.name": f"kith-{service}",
                    "service.instance.id": settings.instance,
                    "service.version": _version(),
                }
            ),
            shutdown_on_exit=False,
        )
        address = settings.otlp_endpoint.rstrip("/") + "/v1/traces"
        exporter = OTLPSpanExporter(endpoint=address, timeout=EXPORT_SECONDS)
        self._provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))
        self._tracer = self._provider.get_tracer("kith")

    def begin(
        self, name: str, kind: Kind, parent: str | None, attributes: Attributes, since: int | None
    ) -> "Recorded | None":
        span = self._tracer.start_span(
            name,
            context=Context() if parent is None else _context(parent),
            kind=KINDS[kind],
            attributes=attributes,
            start_time=since,
        )
        return Recorded(span) if span.is_recording() else None

    def shut_down(self) -> None:
        self._provider.force_flush(FLUSH_MS)


class Recorded:
    """A span of a sampled trace."""

    def __init__(self, span: Span) -> None:
        self._span = span
        context = span.get_span_context()
        self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"

    def say(self, attributes: Attributes, *, name: str | None = None) -> None:
        self._span.set_attributes(attributes)
        if name is not None:
            self._span.update_name(name)

    def fail(self, code: str) -> None:
        self._span.set_status(Status(StatusCode.ERROR, code))

    def end(self) -> None:
        self._span.end()


def _context(traceparent: str) -> Context:
    _, trace, span, flags = traceparent.split("-")
    parent = SpanContext(
        int(trace, 16), int(span, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16))
    )
    return set_span_in_context(NonRecordingSpan(parent), Context())


def _version() -> str:
    try:
        return version("kith")
    except PackageNotFoundError:
        return "unknown"
