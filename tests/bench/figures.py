"""One JSON line a figure, beside its baseline of the same run."""

import json
import sys


def figure(name, value, unit, baseline_name, baseline):
    ratio = value / baseline if baseline else None
    line = {
        "name": name,
        "value": round(value, 4),
        "unit": unit,
        "baseline": baseline_name,
        "baseline_value": round(baseline, 4),
        "ratio": ratio and round(ratio, 3),
    }
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def percentile(values, share):
    """The smallest value that ``share`` of ``values`` do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
