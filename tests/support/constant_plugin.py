"""A plug-in whose estimator says one number whatever the scores, and passes its checks."""

from __future__ import annotations

_SOURCE = '''
{imports}
import torch
import mibench


@mibench.register_estimator("{name}", version={version})
class Constant(mibench.Estimator):
    """One number whatever the scores; trained like NWJ, to no effect.

    Source: none.
    """

    kind = "plug-in"
    oracle_offset = 1.0

    def loss(self, scores):
        return torch.exp(scores.neg - 1).mean((-2, -1)) - scores.pos.mean(-1)

    def estimate(self, scores):
        {before}
        return 0.0 * scores.pos.mean(-1) + {value}
'''


def constant_plugin(name: str, value: str = "0.0", *, version: int = 1, imports: str = "", before: str = "pass") -> str:
    """Return the source of a plug-in file.

    Parameters
    ----------
    name, version
        What the estimator is registered as.
    value
        The number in nats, as an expression.
    imports, before
        Statements at the top of the file, and before the value is returned.
    """
    return _SOURCE.format(name=name, value=value, version=version, imports=imports, before=before)
