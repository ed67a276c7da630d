"""Models of the tree boosters: XGBoost, LightGBM, CatBoost.

Their loaders are native code that reads numbers and texts and runs nothing. What a reader here
lets through it has followed to the last byte, so that nothing lies behind a model's end.
"""
