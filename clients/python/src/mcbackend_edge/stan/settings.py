"""The comments at the beginning of a file: which program wrote it, by which method, and how many draws are to come.

CmdStan writes ``#     num_samples = 1000 (Default)``, indented as its arguments are. RStan and PyStan 2 write
``# iter=2000``, where `iter` counts the warmup as well; here both have CmdStan's names.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_SETTING = re.compile(r"#\s*(\w+)\s*=\s*(.*?)\s*(?:\(Default\))?\s*$")
# Settings of one file that are kept, and characters of a value, at most: CmdStan has about 60.
_MOST_SETTINGS, _MOST_VALUE = 1000, 1000
_FLAGS = ("save_warmup", "engaged", "adapt_engaged", "save_iterations")
_COUNTS = ("num_samples", "num_warmup", "thin", "output_samples", "draws", "iter", "warmup")

# RStan's and PyStan's names, and CmdStan's for the same.
_RSTAN_NAMES = {
    "chain_id": "id",
    "warmup": "num_warmup",
    "max_treedepth": "max_depth",
    **{f"adapt_{name}": name for name in ("engaged", "gamma", "delta", "kappa", "t0", "init_buffer", "term_buffer")},
    "adapt_window": "window",
    "sample_file": "file",
}
_RSTAN_SAMPLER = re.compile(r"(\w+?)(?:\((\w+)\))?$")
_RSTAN_ENGINES = {"NUTS": "nuts", "HMC": "static"}

# Columns that Hamiltonian Monte Carlo writes, in every version, and the sampler with fixed parameters does not.
_HMC_COLUMNS = frozenset({"stepsize__", "treedepth__", "n_leapfrog__", "divergent__", "energy__", "int_time__"})

# Methods whose output is not draws.
WITHOUT_DRAWS = {
    "diagnose": "tests of gradients",
    "log_prob": "log densities and gradients at given parameters",
}
# Methods whose draws are stored, and what they are.
KINDS = {
    "sample": "draws of Markov chain Monte Carlo",
    "generate_quantities": "quantities generated from draws",
    "variational": "draws of a variational approximation",
    "pathfinder": "draws of the Pathfinder approximation",
    "laplace": "draws of the Laplace approximation",
    "optimize": "point estimates of optimization",
}


@dataclass(frozen=True)
class Plan:
    """The rows that a file will hold behind its line of names.

    Attributes
    ----------
    method : one of `KINDS`; None where nothing tells.
    warmup : number of rows at the beginning that are warmup.
    draws : number of rows behind them; None if that shows only at the end.
    most_draws : rows behind the warmup that there can be at most; None if there is no such number.
    has_mean : the first row is the mean of the approximation, not a draw.
    has_timing : the file ends with the time that it took.
    must_adapt : the adaptation stands before the draws.
    """

    method: str | None
    warmup: int = 0
    draws: int | None = None
    most_draws: int | None = None
    has_mean: bool = False
    has_timing: bool = False
    must_adapt: bool = False

    @property
    def rows(self) -> int | None:
        """Draws of the whole file, with warmup; None if that shows only at the end."""
        return None if self.draws is None else self.warmup + self.draws

    @property
    def most_rows(self) -> int | None:
        return None if self.most_draws is None else self.warmup + self.most_draws

    @property
    def has_end(self) -> bool:
        """True if the file itself tells that it is whole."""
        return self.has_timing or self.draws is not None


@dataclass
class Settings(Mapping[str, str]):
    """The settings by CmdStan's names, as text.

    Attributes
    ----------
    is_rstan : True for files of RStan and PyStan 2.
    """

    is_rstan: bool = False
    _values: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def note(self, comment: str) -> None:
        """Takes a comment of the beginning.

        Raises
        ------
        ValueError
            If a count is no number, or a flag neither true nor false.
        """
        match = _SETTING.match(comment)
        if match is None or len(self._values) >= _MOST_SETTINGS:
            return
        name, value = match[1], match[2][:_MOST_VALUE]
        if name in _COUNTS and not (value.isascii() and value.isdecimal() and len(value) < 19):
            raise ValueError(f"{name} is {value!r}, not a number")
        if name in _FLAGS and value.lower() not in ("0", "1", "false", "true"):
            raise ValueError(f"{name} is {value!r}, neither true nor false")
        self._values.setdefault(name, value)

    def translate(self) -> None:
        """Gives RStan's settings CmdStan's names, once all are known."""
        values = self._values
        if "method" in values or not {"iter", "chain_id"} <= values.keys():
            return
        self.is_rstan = True
        sampler = _RSTAN_SAMPLER.match(values.pop("sampler_t", ""))
        for theirs, ours in _RSTAN_NAMES.items():
            if theirs in values:
                values[ours] = values.pop(theirs)
        if "num_warmup" in values:
            values["method"] = "sample"
            # Old versions of RStan ran all iterations as draws where the parameters are fixed.
            values["num_samples"] = str(max(0, int(values["iter"]) - int(values["num_warmup"])))
        elif "output_samples" in values:
            values["method"] = "variational"
        elif "save_iterations" in values:
            values["method"] = "optimize"
        else:
            values["method"] = "diagnose"
        if sampler is not None:
            values["algorithm"] = "hmc" if sampler[1] in _RSTAN_ENGINES else sampler[1].lower()
            if sampler[1] in _RSTAN_ENGINES:
                values["engine"] = _RSTAN_ENGINES[sampler[1]]
            if sampler[2]:
                values["metric"] = sampler[2]

    @property
    def method(self) -> str | None:
        """The method, None where nothing tells: CmdStan's own files name it, some tools leave it out."""
        return self.get("method", "sample" if "num_samples" in self else None)

    def flag(self, name: str, default: bool = False) -> bool:
        """A boolean: 0 or 1 in older versions of CmdStan, false or true in newer ones."""
        return self[name].lower() in ("1", "true") if name in self else default

    def count(self, name: str, default: int = 0) -> int:
        return int(self.get(name, default))

    @property
    def is_fixed(self) -> bool:
        """True for the sampler with fixed parameters, which has no warmup whatever the settings say."""
        return self.get("algorithm") == "fixed_param"

    def has_hmc_columns(self, names: Sequence[str]) -> bool:
        return not _HMC_COLUMNS.isdisjoint(names)

    def check_method(self) -> None:
        """
        Raises
        ------
        ValueError
            If the method's output is not draws.
        """
        method = self.get("method")
        if method in WITHOUT_DRAWS:
            raise ValueError(f"this is output of method {method!r}, {WITHOUT_DRAWS[method]}, and holds no draws")

    def plan(self, *, is_fixed: bool, warmup: int | None, fitted: Plan | None = None) -> Plan:
        """The rows that are to come.

        Parameters
        ----------
        is_fixed : the parameters are fixed.
        warmup : number of rows that are warmup, where the caller knows it.
        fitted : the rows from which quantities were generated, where they are known.

        Raises
        ------
        ValueError
            If it cannot be told what the rows are.
        """
        self.check_method()
        method = self.method
        if method == "sample":
            plan = self._sampling(is_fixed)
        elif method == "variational":
            draws = self.count("output_samples") if "output_samples" in self else None
            plan = Plan(method, draws=draws, most_draws=draws, has_mean=True)
        elif method == "pathfinder":
            # Paths may fail, and leave fewer draws than were asked for.
            plan = Plan(method, has_timing=True)
        elif method == "laplace":
            draws = self.count("draws") if "draws" in self else None
            plan = Plan(method, draws=draws, most_draws=draws)
        elif method == "optimize":
            draws = None if self.flag("save_iterations") or self.is_rstan else 1
            plan = Plan(method, draws=draws, most_draws=draws)
        elif method == "generate_quantities" and fitted is not None:
            plan = Plan(method, fitted.warmup, fitted.draws, fitted.most_draws)
        elif method is not None and method != "generate_quantities":
            raise ValueError(f"this is output of method {method!r}, which is not known")
        else:
            return self._as_told(method, warmup)
        if warmup is not None and warmup != plan.warmup:
            raise ValueError(f"its settings tell {plan.warmup} rows of warmup, not {warmup}")
        return plan

    def _sampling(self, is_fixed: bool) -> Plan:
        if "num_samples" not in self:
            raise ValueError("num_samples is missing in its settings: nothing tells how many draws there will be")
        thin = max(1, self.count("thin", 1))
        warmup, draws = self.count("num_warmup"), self.count("num_samples")
        rows = math.ceil(draws / thin)
        if is_fixed:
            most = math.ceil((draws + warmup) / thin) if self.is_rstan else rows
            return Plan("sample", draws=rows, most_draws=most, has_timing=True)
        saved = math.ceil(warmup / thin) if self.flag("save_warmup") else 0
        must_adapt = self.get("algorithm", "hmc") == "hmc" and self.flag("engaged") and warmup > 0
        return Plan("sample", saved, rows, rows, has_timing=True, must_adapt=must_adapt)

    def _as_told(self, method: str | None, warmup: int | None) -> Plan:
        if warmup is None:
            reason = (
                f"its draws were made from {self.get('fitted_params') or 'a file'}, which cannot be read here"
                if method
                else "it has no settings"
            )
            raise ValueError(
                f"{reason}, so that nothing tells which rows are warmup: say it with --warmup N (0 if none is)"
            )
        return Plan(method, warmup)
