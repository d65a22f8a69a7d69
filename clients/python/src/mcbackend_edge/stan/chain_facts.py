"""Facts of a run beside its draws: versions, settings, and of each chain seed, step size, metric and time."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from typing import Any

from ..facts import timestamp
from .csv_file import CsvFile

# Bytes of JSON that all metrics and means of a run may take, of the 1 MiB that a server takes as facts.
MOST_BYTES = 640 << 10
# Chains of a job array, of which each process sees its own alone: the share of each is that of so many.
_ARRAY_CHAINS = 16

# Settings that are told, where a file has them. None is a path or a name of this machine.
_SETTINGS = (
    *(
        "method",
        "algorithm",
        "engine",
        "metric",
        "num_samples",
        "num_warmup",
        "save_warmup",
        "thin",
        "engaged",
        "delta",
    ),
    *("gamma", "kappa", "t0", "init_buffer", "term_buffer", "window", "max_depth", "int_time", "stepsize"),
    *("stepsize_jitter", "iter", "grad_samples", "elbo_samples", "eta", "tol_rel_obj", "output_samples", "num_paths"),
    *(
        "num_draws",
        "num_psis_draws",
        "psis_resample",
        "calculate_lp",
        "draws",
        "jacobian",
        "save_iterations",
        "sig_figs",
    ),
)


def share_of(chains: int, is_whole: bool) -> int:
    """Bytes that the metric and the mean of one chain may take."""
    return MOST_BYTES // max(1, chains if is_whole else _ARRAY_CHAINS)


def run_facts(file: CsvFile, environment: Mapping[str, Any]) -> dict[str, Any]:
    """Facts of the run, from the beginning of a file.

    Parameters
    ----------
    environment : that of this process, of which host and user are told: its versions, but that of this package, and its
        script have made no draw.
    """
    place = {name: environment[name] for name in ("host", "user") if name in environment}
    facts: dict[str, Any] = {"environment": {**place, "packages": _packages(file, environment)}}
    settings = {name: _plain(file.settings[name]) for name in _SETTINGS if name in file.settings}
    if settings:
        facts["settings"] = settings
    if file.plan is not None and file.plan.draws is not None:
        facts["expected"] = {"draws": file.plan.draws, "warmup": file.plan.warmup}
    if started := begin_of(file):
        facts["startedAt"] = timestamp(started)
    return facts


def begin_of(file: CsvFile) -> dt.datetime | None:
    """CmdStan's ``2026-11-28 18:06:32 UTC``; None where the file tells none."""
    try:
        moment = dt.datetime.strptime(file.settings.get("start_datetime", ""), "%Y-%m-%d %H:%M:%S UTC")
    except ValueError:
        return None
    return moment.replace(tzinfo=dt.timezone.utc)


def chain_facts(file: CsvFile, share: int) -> dict[str, Any]:
    """Facts of a chain, as far as its file was read.

    Parameters
    ----------
    share : bytes that its metric and its mean may take; larger ones are left out.
    """
    facts: dict[str, Any] = {}
    seed = file.settings.get("seed", "")
    if seed.isascii() and seed.isdecimal() and len(seed) < 20:
        facts["seed"] = int(seed)
    adaptation = file.adaptation
    if adaptation.step_size is not None:
        facts["stepSize"] = adaptation.step_size
    metric = adaptation.inverse_metric
    if metric is not None and bytes_of(metric) <= share:
        facts["inverseMetric"] = metric
    if "Total" in adaptation.seconds:
        facts["samplingTime"] = adaptation.seconds["Total"]
    if "Warm-up" in adaptation.seconds:
        facts["warmupTime"] = adaptation.seconds["Warm-up"]
    mean = {name: value for name, value in (file.mean or {}).items() if math.isfinite(value)}
    if mean and bytes_of(mean) <= share:
        facts["mean"] = mean
    return facts


def lacks_metric(file: CsvFile, share: int) -> bool:
    """True if the file has an inverse metric that is too large to be told."""
    metric = file.adaptation.inverse_metric
    return file.adaptation.is_left_out or (metric is not None and bytes_of(metric) > share)


def bytes_of(value: object) -> int:
    """Bytes that a value of JSON takes, at most."""
    if isinstance(value, Mapping):
        return sum(len(str(name)) + 4 + bytes_of(member) for name, member in value.items())
    if isinstance(value, list):
        return sum(map(bytes_of, value))
    return len(repr(value)) + 2


def _packages(file: CsvFile, environment: Mapping[str, Any]) -> dict[str, str]:
    own = environment.get("packages", {})
    kept = {name: own[name] for name in ("mcbackend-edge",) if name in own}
    parts = [file.settings.get(f"stan_version_{part}", "") for part in ("major", "minor", "patch")]
    versions = {"stan": ".".join(parts) if all(parts) else "", "stanc": file.settings.get("stanc_version", "")}
    return {**{name: version for name, version in versions.items() if version}, **kept}


def _plain(text: str) -> int | float | bool | str:
    """A setting as a value of JSON."""
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        return number if math.isfinite(number) else text
    return text
