from odoo.http import Controller, request
from odoo.tools import LazyTranslate

from odoo.addons.crm_data_governance.endpoint import guarded, json_response

from ..const import PREDICT_SCOPE
from ..tools import serving as wire

_lt = LazyTranslate(__name__)


class NotServed(Exception):
    """There is no such model, or no such version of it."""


class BehaviorModels(Controller):
    """Predictions in TensorFlow Serving's REST format."""

    @guarded(
        "/v1/models/<string:name>",
        code="behavior.models.status",
        title=_lt("State of a prediction's versions"),
        methods=["GET"],
        scope=PREDICT_SCOPE,
        readonly=True,
    )
    def model_status(self, name):
        """Tell the state of all versions."""
        return self._answer(self._status, name)

    @guarded(
        "/v1/models/<string:name>/versions/<int:number>",
        code="behavior.models.version",
        title=_lt("State of a prediction's version"),
        methods=["GET"],
        scope=PREDICT_SCOPE,
        readonly=True,
    )
    def version_status(self, name, number):
        """Tell the state of one version."""
        return self._answer(self._status, name, number)

    @guarded(
        "/v1/models/<string:name>/metadata",
        code="behavior.models.metadata",
        title=_lt("Inputs of a prediction"),
        methods=["GET"],
        scope=PREDICT_SCOPE,
        readonly=True,
    )
    def model_metadata(self, name):
        """Tell what the version in use asks for."""
        return self._answer(self._metadata, name)

    @guarded(
        "/v1/models/<string:name>/versions/<int:number>/metadata",
        code="behavior.models.version_metadata",
        title=_lt("Inputs of a prediction's version"),
        methods=["GET"],
        scope=PREDICT_SCOPE,
        readonly=True,
    )
    def version_metadata(self, name, number):
        """Tell what a version asks for."""
        return self._answer(self._metadata, name, number)

    @guarded(
        "/v1/models/<string:name>:predict",
        code="behavior.models.predict",
        title=_lt("Predict with the version in use"),
        methods=["POST"],
        scope=PREDICT_SCOPE,
        max_bytes=8 * 2**20,
        readonly=True,
    )
    def model_predict(self, name):
        """Score rows of features with the version in use."""
        return self._answer(self._predict, name)

    @guarded(
        "/v1/models/<string:name>/versions/<int:number>:predict",
        code="behavior.models.version_predict",
        title=_lt("Predict with a version"),
        methods=["POST"],
        scope=PREDICT_SCOPE,
        max_bytes=8 * 2**20,
        readonly=True,
    )
    def version_predict(self, name, number):
        """Score rows of features with a version."""
        return self._answer(self._predict, name, number)

    # --- ANSWERS ---

    @staticmethod
    def _answer(method, name, number=None):
        """The answer of a method, or the error as TensorFlow Serving gives it."""
        try:
            return method(name, number)
        except NotServed:
            wanted = (
                f"Latest({name})" if number is None else f"Specific({name}, {number})"
            )
            error = {"error": f"Servable not found for request: {wanted}"}
            return json_response(error, status=404)
        except wire.RequestError as error:
            return json_response({"error": str(error)}, status=400)

    @staticmethod
    def _versions(name):
        """The versions of the model that can be asked, as superuser.

        The credential's company is where the model is looked for.
        """
        credential = request.guard.credential
        # sudo: the key may ask for predictions, and has no user.
        return (
            request.env["behavior.prediction.version"]
            .sudo()
            ._served(name, credential.company_id)
        )

    def _version(self, name, number):
        versions_sudo = self._versions(name)
        for version_sudo in versions_sudo:
            if version_sudo.number == number or (
                number is None and version_sudo.state == "active"
            ):
                return version_sudo
        raise NotServed

    def _status(self, name, number):
        versions_sudo = self._versions(name)
        if number is not None:
            versions_sudo = versions_sudo.filtered(lambda one: one.number == number)
        if not versions_sudo:
            raise NotServed
        return wire.status((one.number, True) for one in versions_sudo)

    def _metadata(self, name, number):
        version_sudo = self._version(name, number)
        names = version_sudo._trained_model().names
        return wire.metadata(name, version_sudo.number, names)

    def _predict(self, name, number):
        model = self._version(name, number)._trained_model()
        columns, key = wire.read_request(request.guard.body, model.names)
        return {key: model.predict(columns).tolist()}
