"""Tasks by name and parameters, at both ends of what they allow and between."""

from __future__ import annotations

NORMAL_FAMILIES = [
    "normal-pairs:mi=0", "normal-pairs:mi=12", "normal-pairs:mi=30,dim_x=4,dim_y=3,pairs=3",
    "normal-pairs:mi=0.5,dim_y=6",
    "normal-dense:mi=0", "normal-dense:mi=0.3,dim_x=1,dim_y=7", "normal-dense:mi=11,dim_x=4,dim_y=3",
    "normal", "normal:covariances=2_-0.5_0.3/-0.5_1_0.2/0.3_0.2_5,columns_x=2",
    "student-t:mi=0.3,dof=1", "student-t:mi=20,dof=2,dim_x=3,dim_y=5", "student-t:mi=0.1,dof=100,dim_x=2",
    "additive-noise:mi=0.01", "additive-noise:mi=0.5", "additive-noise:mi=22",
    "gaussian20d-cubic:mi=30", "gaussian20d-cubic:mi=30,dim=1", "gaussian20d-cubic:mi=30,dim=2,mix=true",
    "gaussian20d-cubic:mix=true", "gaussian20d-cubic:mi=0",
    "transformed:base=gaussian20d:mi=4:dim=3,x=normal-cdf+mixing+asinh,y=cube+spiral+half-cube",
    "transformed:base=beyond-normal:id=1v1-additive-0.1,x=wiggly,y=cube",
]  # fmt: skip

MIXTURES = [
    "mixture-cross:mi=0", "mixture-cross:mi=0.01", "mixture-cross:mi=15.3", "mixture-cross:mi=30,dim=20",
    "mixture-inliers:mi=0", "mixture-inliers:mi=0.1,share=0.02", "mixture-inliers:mi=7.3",
    "mixture-inliers:mi=10,dim=3,share=0.9",
    "mixture-waves:mi=0", "mixture-waves:mi=0.001", "mixture-waves:mi=1.3862", "mixture-waves:mi=6,dim=10,heights=2",
    "mixture-waves:mi=2.5,heights=16,periods=1",
    "label-normal:mi=0", "label-normal:mi=2.302", "label-normal:mi=0.3,k=2,dim=1,label=y",
    "label-normal:k=64,mi=4,dim=50",
]  # fmt: skip
