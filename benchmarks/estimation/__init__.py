"""Operating characteristics of an estimate with a verdict, on data sets of known mutual information.

python -m benchmarks.estimation                     from the root of the repository: run what is missing, and the table
python -m benchmarks.estimation --half seen         the half on which thresholds may be chosen
python -m benchmarks.estimation --list              the data sets, with their truth
python -m benchmarks.estimation --help              all options
"""
