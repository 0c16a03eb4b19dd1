import base64
import json
import math

import numpy as np

from odoo.tests import BaseCase, HttpCase, tagged

from ..const import PREDICT_SCOPE
from ..tools import serving, training

NAMES = ("amount", "days")


@tagged("post_install", "-at_install")
class TestWireFormat(BaseCase):
    """Requests as TensorFlow Serving's documentation has them."""

    def _read(self, request, names=NAMES):
        body = request if isinstance(request, bytes) else json.dumps(request).encode()
        return serving.read_request(body, names)

    def test_rows(self):
        columns, key = self._read(
            {"instances": [{"amount": 1, "days": 2.5}, {"days": 3, "amount": -1e3}]}
        )
        self.assertEqual(key, "predictions")
        self.assertEqual(columns, {"amount": [1.0, -1000.0], "days": [2.5, 3.0]})

    def test_columns(self):
        columns, key = self._read(
            {
                "signature_name": "serving_default",
                "inputs": {"amount": [1, 2], "days": [3, 4], "other": [9]},
            }
        )
        self.assertEqual(key, "outputs")
        self.assertEqual(columns, {"amount": [1.0, 2.0], "days": [3.0, 4.0]})

    def test_one_input(self):
        self.assertEqual(
            self._read({"instances": [1, 2]}, ("x",)),
            ({"x": [1.0, 2.0]}, "predictions"),
        )
        self.assertEqual(
            self._read({"inputs": [1, 2]}, ("x",)), ({"x": [1.0, 2.0]}, "outputs")
        )

    def test_unknown_values(self):
        columns, _key = self._read(b'{"instances": [{"amount": NaN, "days": null}]}')
        self.assertTrue(math.isnan(columns["amount"][0]))
        self.assertTrue(math.isnan(columns["days"][0]))

    def test_errors(self):
        good = {"amount": 1, "days": 2}
        for request, said in (
            (b"", "JSON Parse error: The document is empty"),
            (b'{"instances": [', "JSON Parse error: Invalid value. at offset: "),
            (b"\xff{}", "JSON Parse error: "),
            (b"[" * 100_000, "JSON Parse error: "),
            ([], "Is not object"),
            ({}, "Missing 'inputs' or 'instances' key"),
            ({"inputs": {}, "instances": []}, "expecting only one of"),
            ({"instances": 1}, "Excepting 'instances' to be an list/array"),
            ({"instances": []}, "No values in 'instances' array"),
            ({"instances": [1]}, "instances is a plain list"),
            ({"instances": [good, 1]}, "Expecting object but got list at item 1"),
            ({"instances": [good, {"amount": 1}]}, "process element: 1 of 'instances'"),
            (
                {"instances": [{**good, "x": 1}]},
                "does not have named input: x",
            ),
            ({"instances": [{**good, "days": "2"}]}, 'JSON Value: "2" Type: String'),
            ({"instances": [{**good, "days": True}]}, "Type: Boolean"),
            ({"instances": [{**good, "days": [2]}]}, "list at unexpected level"),
            ({"instances": [{**good, "days": 10**400}]}, "is not of expected type"),
            ({"inputs": {"amount": [1]}}, "Missing named input: days in 'inputs'"),
            ({"inputs": [1]}, "inputs is a plain value/list"),
            ({"inputs": {"amount": [1], "days": [1, 2]}}, "Expecting tensor size: 1"),
            ({"inputs": {"amount": 1, "days": [1]}}, "incorrect level"),
            ({**{"instances": [good]}, "signature_name": "x"}, '"x" not found'),
            ({**{"instances": [good]}, "signature_name": 1}, "must be a string value"),
        ):
            with self.subTest(request=str(request)[:60]):
                with self.assertRaises(serving.RequestError) as caught:
                    self._read(request)
                self.assertIn(said, str(caught.exception))


@tagged("post_install", "-at_install")
class TestModelServer(HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        rng = np.random.default_rng(1)
        cls.frame = {"amount": rng.random(300), "days": rng.random(300)}
        labels = (rng.random(300) < cls.frame["days"]).astype(int)
        cls.model = training.fit("logistic", cls.frame, labels, NAMES)
        cls.company = cls.env["res.company"].create({"name": "Served"})
        cls.prediction = cls.env["behavior.prediction"].create(
            {"name": "Served", "code": "served", "company_id": cls.company.id}
        )
        cls.versions = cls.env["behavior.prediction.version"].create(
            [
                {
                    "prediction_id": cls.prediction.id,
                    "number": number,
                    "state": state,
                    "kind": "logistic",
                    "report": {"names": [*NAMES], "findings": []},
                    "model": base64.b64encode(cls.model.to_text().encode()),
                }
                for number, state in ((1, "retired"), (2, "active"), (3, "refused"))
            ]
        )
        cls.prediction.write({"version_id": cls.versions[1].id, "state": "active"})
        cls.key = cls._issue(PREDICT_SCOPE, cls.company)

    @classmethod
    def _issue(cls, scope, company):
        _credential, key = cls.env["governance.credential"]._issue(
            {
                "name": "Model server",
                "scopes": scope,
                "company_id": company.id,
                # a test's cursors cannot count beside a reading one
                "rate": 0,
            }
        )
        return key

    def _call(self, path, body=None, key=None):
        """A request of a TensorFlow Serving client: GET, or POST with a body."""
        response = self.url_open(
            f"/v1/models/{path}",
            data=body if body is None or isinstance(body, bytes) else json.dumps(body),
            headers={
                "Authorization": f"Bearer {key or self.key}",
                "Content-Type": "application/json",
            },
        )
        self.assertIn("application/json", response.headers["Content-Type"])
        return response.status_code, response.json()

    def test_status(self):
        entry = {
            "state": "AVAILABLE",
            "status": {"error_code": "OK", "error_message": ""},
        }
        self.assertEqual(
            self._call("served"),
            (
                200,
                {
                    "model_version_status": [
                        {"version": "2", **entry},
                        {"version": "1", **entry},
                    ]
                },
            ),
        )
        self.assertEqual(
            self._call("served/versions/1"),
            (200, {"model_version_status": [{"version": "1", **entry}]}),
        )

    def test_metadata(self):
        status, answer = self._call("served/metadata")
        self.assertEqual(status, 200)
        self.assertEqual(
            answer["model_spec"],
            {"name": "served", "signature_name": "", "version": "2"},
        )
        definition = answer["metadata"]["signature_def"]["signature_def"]
        self.assertEqual(set(definition["serving_default"]["inputs"]), set(NAMES))
        self.assertEqual(
            definition["serving_default"]["method_name"], "tensorflow/serving/predict"
        )
        self.assertEqual(
            self._call("served/versions/1/metadata")[1]["model_spec"]["version"], "1"
        )

    def test_predict(self):
        """Both formats, the version in use and a named one: what the model says."""
        rows = [{"amount": 0.2, "days": 0.9}, {"amount": 0.2, "days": 0.1}]
        columns = {name: [row[name] for row in rows] for name in NAMES}
        expected = self.model.predict(columns)
        for path in ("served:predict", "served/versions/1:predict"):
            with self.subTest(path=path):
                status, answer = self._call(path, {"instances": rows})
                self.assertEqual((status, [*answer]), (200, ["predictions"]))
                np.testing.assert_allclose(answer["predictions"], expected)
                status, answer = self._call(path, {"inputs": columns})
                self.assertEqual((status, [*answer]), (200, ["outputs"]))
                np.testing.assert_allclose(answer["outputs"], expected)

    def test_not_served(self):
        rows = {"instances": [{"amount": 0, "days": 0}]}
        for path, body, wanted in (
            ("nothing", None, "Latest(nothing)"),
            ("nothing:predict", rows, "Latest(nothing)"),
            ("nothing/metadata", None, "Latest(nothing)"),
            ("served/versions/9", None, "Specific(served, 9)"),
            ("served/versions/3:predict", rows, "Specific(served, 3)"),
        ):
            with self.subTest(path=path):
                self.assertEqual(
                    self._call(path, body),
                    (404, {"error": f"Servable not found for request: {wanted}"}),
                )

    def test_bad_request(self):
        status, answer = self._call("served:predict", b'{"instances": [')
        self.assertEqual(status, 400)
        self.assertIn("JSON Parse error", answer["error"])
        status, answer = self._call("served:predict", {"instances": [{"amount": 1}]})
        self.assertEqual(status, 400)
        self.assertIn("must only have keys: amount,days", answer["error"])

    def test_keys(self):
        """Only a key of the scope, and only the models of its company."""
        self.assertEqual(self._call("served", key="nonsense")[0], 401)
        other = self._issue("behavior.append", self.company)
        self.assertEqual(self._call("served", key=other)[0], 403)
        foreign = self._issue(
            PREDICT_SCOPE, self.env["res.company"].create({"name": "F"})
        )
        self.assertEqual(self._call("served", key=foreign)[0], 404)

    def test_not_trained(self):
        self.prediction.version_ids.write({"state": "refused"})
        self.assertEqual(self._call("served:predict", {"instances": []})[0], 404)
