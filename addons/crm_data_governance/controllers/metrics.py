from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.registry import Collector

from odoo import http
from odoo.http import Response, request
from odoo.tools import LazyTranslate

from ..endpoint import guarded

_lt = LazyTranslate(__name__)


class _DatabaseCollector(Collector):
    """Reads the metric families from the database when it is asked.

    :param model: ``governance.metrics`` in the environment to read with
    """

    def __init__(self, model):
        self.model = model

    def collect(self):
        return self.model._metric_families()

    def describe(self):
        # Nothing is read when it is registered, only when it is asked.
        return ()


class Metrics(http.Controller):
    @guarded(
        "/metrics",
        code="governance.metrics",
        title=_lt("Metrics for Prometheus"),
        methods=["GET"],
        scope="metrics",
        readonly=True,
    )
    def metrics(self):
        registry = CollectorRegistry(auto_describe=False)
        # sudo: the scope allows the figures of the whole database, and figures only.
        registry.register(_DatabaseCollector(request.env["governance.metrics"].sudo()))
        return Response(
            generate_latest(registry),
            headers={"Cache-Control": "no-store"},
            content_type=CONTENT_TYPE_LATEST,
        )
