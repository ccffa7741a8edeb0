"""Sends what a test asks for with Microsoft's own clients, to a server of that test on the loopback address.

Standard input holds a list of steps, standard output gets one result for each: whether the client was content, what it
says if not, and for how long it would have waited between its attempts. Nothing is waited for: the transport keeps what it
was told to sleep, in seconds. The clients insist on TLS where a token is sent, and these servers speak HTTP: the transport
takes the `s` off as the very last thing, and changes nothing else.
"""

import json
import logging
import os
import sys
from datetime import datetime

from azure.core.pipeline.transport import RequestsTransport

HERE = "https://127.0.0.1:"


class Transport(RequestsTransport):
    def __init__(self):
        super().__init__()
        self.sleeps = []

    def send(self, request, **kwargs):
        asked = request.url
        if asked.startswith(HERE):
            request.url = "http://" + asked[len("https://"):]
        try:
            return super().send(request, **kwargs)
        finally:
            request.url = asked  # a second attempt is for the same address

    def sleep(self, duration):
        self.sleeps.append(duration)


class Fixed:
    """A credential that gives one token to everybody."""

    def __init__(self, token):
        self.token = token

    def get_token(self, *scopes, **_):
        from azure.core.credentials import AccessToken

        return AccessToken(self.token, 4102444800)


def identity(own, transport):
    import azure.identity as azure

    common = {"transport": transport, "disable_instance_discovery": True}
    if "authority" in own:
        common["authority"] = own["authority"]
    kind = own["kind"]
    if kind == "fixed":
        return Fixed(own["token"])
    if kind == "secret":
        return azure.ClientSecretCredential(own["tenant"], own["client"], own["secret"], **common)
    if kind == "certificate":
        return azure.CertificateCredential(own["tenant"], own["client"], own["file"], **common)
    if kind == "workload":
        return azure.WorkloadIdentityCredential(
            tenant_id=own["tenant"], client_id=own["client"], token_file_path=own["file"], **common
        )
    if kind == "managed":
        os.environ.update(own["environment"])
        return azure.ManagedIdentityCredential(client_id=own.get("client"), transport=transport)
    raise ValueError(kind)


def token(step, transport):
    identity(step["identity"], transport).get_token(step["scope"])


def logs(step, transport):
    from azure.monitor.ingestion import LogsIngestionClient

    client = LogsIngestionClient(
        step["endpoint"], identity(step["identity"], transport), transport=transport, **step.get("options", {})
    )
    client.upload(step["rule"], step["stream"], step["records"])


def nanoseconds(text):
    whole = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return round(whole.timestamp() * 1_000_000) * 1_000


def insights(step, transport):
    import opentelemetry.sdk.resources as resources
    from azure.monitor.opentelemetry.exporter import AzureMonitorLogExporter, AzureMonitorMetricExporter

    resource = resources.Resource({"service.name": step["role"], "service.instance.id": step["instance"]})
    options = {
        "connection_string": step["connection_string"],
        "disable_offline_storage": "storage" not in step,
        "transport": transport,
    }
    if "storage" in step:
        options |= {"storage_directory": step["storage"], "storage_min_retry_interval": 0}
    if "identity" in step:
        options["credential"] = identity(step["identity"], transport)
    results = []
    if step.get("events"):
        exporter = AzureMonitorLogExporter(**options)
        results.append(exporter.export([event(own, resource) for own in step["events"]]).name)
    if step.get("metrics"):
        exporter = AzureMonitorMetricExporter(**options)
        results.append(exporter.export(numbers(step["metrics"], resource)).name)
    if set(results) != {"SUCCESS"}:
        raise RuntimeError(", ".join(results))


def event(own, resource):
    """A row of custom events or of availability results, by the attributes that the exporter takes for it."""
    from opentelemetry._logs import LogRecord
    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.trace import TraceFlags

    record = LogRecord(
        timestamp=nanoseconds(own["time"]),
        trace_id=int(own["operation"], 16),
        span_id=0,
        trace_flags=TraceFlags(0),
        attributes=own["attributes"],
    )
    return ReadableLogRecord(record, resource)


def numbers(all_of_them, resource):
    """One metric a number: a gauge with one point."""
    import opentelemetry.sdk.metrics.export as export
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    metrics = []
    for own in all_of_them:
        at = nanoseconds(own["time"])
        point = export.NumberDataPoint(own["properties"], at, at, own["value"])
        metrics.append(export.Metric(own["name"], None, "", export.Gauge([point])))
    scope = export.ScopeMetrics(InstrumentationScope("driftlead"), metrics, "")
    return export.MetricsData([export.ResourceMetrics(resource, [scope], "")])


def run(step):
    transport = Transport()
    try:
        {"token": token, "logs": logs, "insights": insights}[step["do"]](step, transport)
        said = None
    except Exception as error:  # whatever a client says is a result
        said = f"{type(error).__name__}: {error}"
    return {"said": said, "sleeps": transport.sleeps}


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    json.dump([run(step) for step in json.load(sys.stdin)], sys.stdout)
