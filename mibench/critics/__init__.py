"""Critics, stacked over the runs of a pack, with hand-written backward passes.

Imports core. One critic a file, beside what several share: `dot_products` (separable, siamese, cosine, bilinear),
`module` (any torch module; the base of plug-ins), `beside` (what estimators ask for beside a critic), and `kernels`
beneath. Start with `joint`, which is whole in itself.
"""
