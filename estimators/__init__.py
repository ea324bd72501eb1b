"""The estimators, one family per file; imported as `mibench.estimators`.

A file adds estimators by decorating subclasses of `mibench.Estimator` with `mibench.register_estimator`; nothing else
is edited.
"""

if __name__ == "estimators":
    raise ImportError("this folder is the package mibench.estimators; write 'import mibench.estimators'")
