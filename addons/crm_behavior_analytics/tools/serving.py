"""TensorFlow Serving's REST format for a model with named inputs and one output.

Requests, answers and error texts are those of TensorFlow Serving
(https://www.tensorflow.org/tfx/serving/api_rest): *row format* ``{"instances":
[{name: value, …}, …]}`` is answered with ``{"predictions": [score, …]}``, *column
format* ``{"inputs": {name: [value, …], …}}`` with ``{"outputs": [score, …]}``.

Beyond it ``null`` is taken where a value is unknown, as ``NaN`` is.
"""

import json

SIGNATURE = "serving_default"
METHOD = "tensorflow/serving/predict"
OUTPUT = "score"
MAX_ROWS = 10_000


class RequestError(Exception):
    """A request that cannot be answered; the text is the answer's ``error``."""


def read_request(body, names):
    """The values that a request gives.

    :param bytes body: JSON
    :param names: inputs of the model
    :return: (dict of name → list of floats, key of the answer)
    :raises RequestError: malformed
    """
    request = _parse(body)
    signature = request.get("signature_name", "")
    if not isinstance(signature, str):
        raise RequestError("'signature_name' key must be a string value.")
    if signature not in ("", SIGNATURE):
        raise RequestError(
            f'Serving signature name: "{signature}" not found in signature def'
        )
    rows, columns = "instances" in request, "inputs" in request
    if rows and columns:
        raise RequestError(
            "Not formatted correctly expecting only one of 'inputs' or 'instances' keys"
            " to exist"
        )
    if rows:
        return _read_rows(request["instances"], names), "predictions"
    if columns:
        return _read_columns(request["inputs"], names), "outputs"
    raise RequestError("Missing 'inputs' or 'instances' key")


def _parse(body):
    if not body.strip():
        raise RequestError("JSON Parse error: The document is empty")
    try:
        request = json.loads(body)
    except UnicodeDecodeError as error:
        raise RequestError(
            f"JSON Parse error: Invalid encoding at offset: {error.start}"
        ) from error
    except json.JSONDecodeError as error:
        raise RequestError(
            f"JSON Parse error: Invalid value. at offset: {error.pos}"
        ) from error
    except RecursionError as error:
        raise RequestError("JSON Parse error: nested too deep") from error
    if not isinstance(request, dict):
        raise RequestError("JSON Value: Is not object")
    return request


def _read_rows(instances, names):
    if not isinstance(instances, list):
        raise RequestError("Excepting 'instances' to be an list/array")
    if not instances:
        raise RequestError("No values in 'instances' array")
    _check_size(len(instances))
    if len(names) == 1 and not isinstance(instances[0], dict):
        instances = [{names[0]: value} for value in instances]
    columns = {name: [] for name in names}
    for place, instance in enumerate(instances):
        if not isinstance(instance, dict):
            if place == 0:
                raise RequestError(
                    "instances is a plain list, but expecting list of objects as"
                    " multiple input tensors required as per tensorinfo_map"
                )
            raise RequestError(
                f"Expecting object but got list at item {place} of input list"
            )
        where = f"Failed to process element: {place}"
        for name, value in instance.items():
            if name not in columns:
                raise RequestError(
                    f"{where} key: {name} of 'instances' list. Error: Invalid argument:"
                    f" JSON object: does not have named input: {name}"
                )
            error = (
                f"{where} key: {name} of 'instances' list. Error: Invalid argument: "
            )
            columns[name].append(_number(value, error))
        if len(instance) != len(columns):
            raise RequestError(
                f"{where} of 'instances' list. JSON object must only have keys: "
                + ",".join(sorted(names))
            )
    return columns


def _read_columns(inputs, names):
    if not isinstance(inputs, dict):
        if len(names) != 1:
            raise RequestError(
                "inputs is a plain value/list, but expecting an object as multiple"
                " input tensors required as per tensorinfo_map"
            )
        inputs = {names[0]: inputs}
    columns = {}
    for name in names:
        if name not in inputs:
            raise RequestError(f"Missing named input: {name} in 'inputs' object.")
        values = inputs[name]
        if not isinstance(values, list):
            raise RequestError(
                f"JSON Value: {_shown(values)} found at incorrect level: 1 in the JSON"
                " DOM. Expected at level: 0"
            )
        _check_size(len(values))
        columns[name] = [_number(value, "") for value in values]
    sizes = sorted({len(values) for values in columns.values()})
    if len(sizes) != 1:
        raise RequestError(f"Expecting tensor size: {sizes[0]} but got: {sizes[-1]}")
    return columns


def _check_size(rows):
    if rows > MAX_ROWS:
        raise RequestError(f"At most {MAX_ROWS} rows a request, not {rows}")


def _number(value, where):
    if value is None:
        return float("nan")
    if isinstance(value, list):
        raise RequestError(
            f"{where}Encountered list at unexpected level: 0 expected < 0"
        )
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise RequestError(
            f"{where}JSON Value: {_shown(value)} Type: {_TYPES[type(value)]} is not of"
            " expected type: double"
        )
    try:
        return float(value)
    except OverflowError:
        raise RequestError(
            f"{where}JSON Value: {_shown(value)} is not of expected type: double"
        ) from None


_TYPES = {str: "String", bool: "Boolean", dict: "Object"}


def _shown(value):
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 64 else f"{text[:64]}…"


def status(versions):
    """The answer of the model status API.

    :param versions: iterable of (number, whether it is in use)
    """
    return {
        "model_version_status": [
            {
                "version": str(number),
                "state": "AVAILABLE" if available else "END",
                "status": {"error_code": "OK", "error_message": ""},
            }
            for number, available in versions
        ]
    }


def metadata(name, number, names):
    """The answer of the model metadata API.

    :param str name: of the model
    :param int number: of the version
    :param names: inputs of the model
    """

    def tensor(title):
        return {
            "dtype": "DT_DOUBLE",
            "tensor_shape": {
                "dim": [{"size": "-1", "name": ""}],
                "unknown_rank": False,
            },
            "name": f"{title}:0",
        }

    definition = {
        "inputs": {title: tensor(title) for title in names},
        "outputs": {OUTPUT: tensor(OUTPUT)},
        "method_name": METHOD,
    }
    return {
        "model_spec": {"name": name, "signature_name": "", "version": str(number)},
        "metadata": {"signature_def": {"signature_def": {SIGNATURE: definition}}},
    }
