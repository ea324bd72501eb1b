"""Conformance checks of plug-ins: that they import, and everything that they register."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mibench.conformance.critics import check_critic
from mibench.conformance.estimators import check_estimator
from mibench.conformance.findings import Finding, run_checks, subject_of
from mibench.conformance.samplers import check_negatives
from mibench.conformance.tasks import check_task
from mibench.conformance.trial import Trial, check_parameters, check_run
from mibench.core.errors import DuplicateNameError, PluginError, UsageError
from mibench.core.faults import describe_error, exceptions_alone
from mibench.core.outside import files_of
from mibench.core.plugins import load_plugins, plugin_files
from mibench.core.registry import Registry
from mibench.experiments.components import REGISTRIES

_CHECKERS: Mapping[str, Callable[[Any], list[Finding]]] = {
    "task": check_task,
    "estimator": check_estimator,
    "critic": check_critic,
    "negatives": check_negatives,
}
"""By the option of a grid that names the component."""


def check_plugin(path: str | Path) -> list[Finding]:
    """Import a plug-in and check everything that it registers, with default parameters.

    Parameters
    ----------
    path
        A Python file, or a folder of them.

    Returns
    -------
    list of Finding
        The import first; a plug-in that cannot be imported, or claims a name that is taken, has that finding alone.

    Raises
    ------
    UsageError
        Where the path does not exist or is no plug-in.
    """
    files = [file.resolve() for file in plugin_files(path)]
    helpers = {helper for file in files for helper in files_of(file) - {file}}
    return [finding for file in files for finding in _check_file(file, is_helper=file in helpers)]


def _check_file(file: Path, *, is_helper: bool) -> list[Finding]:
    """Check a file; one that others of its folder import need not register anything."""
    try:
        load_plugins([file], strict=True)
    except PluginError as error:
        return [_import_finding(file, error)]
    findings = [Finding(file.name, "import", True, "imported")]
    for option in _CHECKERS:
        for entry in REGISTRIES[option].entries(all_versions=True):
            if entry.origin == str(file):
                findings += _check_entry(option, entry.id)
    if len(findings) == 1 and not is_helper:
        sentence = "nothing is registered; decorate a class with @mibench.register_estimator or one of its siblings"
        findings.append(Finding(file.name, "registration", False, sentence))
    return findings


def _import_finding(file: Path, error: PluginError) -> Finding:
    if isinstance(error.__cause__, DuplicateNameError):
        return Finding(file.name, "name", False, str(error.__cause__))
    return Finding(file.name, "import", False, str(error))


def _check_entry(option: str, name: str) -> list[Finding]:
    """Check a component's parameters, then it by itself and, where it passes, as a part of a run."""
    component = _built(REGISTRIES[option], name)
    if isinstance(component, Finding):
        return [component]
    subject, trial = subject_of(option, component), Trial.of(option, component)
    findings = run_checks(subject, trial, [("parameters", check_parameters)])  # without it the others mean nothing
    if findings[0].passed:
        findings += _findings_of(option, subject, component)
    if all(finding.passed for finding in findings):  # else these say more of what is wrong
        findings += run_checks(subject, trial, [("run", check_run)])
    return findings


def _findings_of(option: str, subject: str, component: Any) -> list[Finding]:
    """Run the checks of a kind of component; one that fails while it is prepared for them fails them."""
    try:
        with exceptions_alone():
            return _CHECKERS[option](component)
    except Exception as error:
        return [Finding(subject, "preparation", False, f"raised {describe_error(error)}")]


def _built(registry: Registry[Any], name: str) -> Any:
    """Build a component with its defaults; a finding says why it cannot be."""

    def failed(sentence: str) -> Finding:
        return Finding(f"{registry.what} {name}", "defaults", False, sentence)

    if missing := registry.get(name).required_names():
        why = "give every parameter a default, so that the component can be checked and listed"
        return failed(f"it needs a value for '{missing[0]}'; {why}")
    try:
        with exceptions_alone():
            return registry.create(name)
    except UsageError as error:
        return failed(str(error))
    except Exception as error:
        base = {"critic": "mibench.ModuleCritic", "negative sampler": "mibench.NegativeSampler"}
        return failed(
            f"it cannot be built with its defaults: {describe_error(error)}; derive it "
            f"from {base.get(registry.what, f'mibench.{registry.what.capitalize()}')} and annotate every parameter "
            "with a type and a default that it accepts"
        )
