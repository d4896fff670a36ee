"""How the price models were made and how good they are."""

import pandera.pandas as pa

from sneaker_assets.tables.base import Table, Timestamp

PREDICTORS = ("model", "mean", "median", "site_median", "nearest_neighbour")

STANDINGS = ("champion", "challenger", "former", "set aside")


class EvaluationMetrics(Table):
    """How far a predictor's prices are from the true ones; `_low` and `_high` bound a bootstrap 95 % interval."""

    backbone: str = pa.Field(description="Backbone, the partition key.")
    weights: str = pa.Field(description="Where the backbone's weights come from, in plain words.")
    model: str = pa.Field(description="The model's folder, relative to the lake.")
    predictor: str = pa.Field(isin=PREDICTORS, description="The model, or a baseline of the training prices.")
    split: str = pa.Field(isin=("validation", "test"), description="Rows it was scored on.")
    group: str = pa.Field(
        isin=("all", "site", "price", "price_band", "label_kind"),
        description="What the rows are grouped by; price: below the median of the training prices, or from it on.",
    )
    member: str = pa.Field(description="Which of these groups.")
    n: int = pa.Field(ge=1, description="Rows.")
    mse: float = pa.Field(ge=0, description="Mean squared error, US dollars squared.")
    mse_low: float = pa.Field(ge=0, description="US dollars squared.")
    mse_high: float = pa.Field(ge=0, description="US dollars squared.")
    rmse: float = pa.Field(ge=0, description="Root mean squared error, US dollars.")
    rmse_low: float = pa.Field(ge=0, description="US dollars.")
    rmse_high: float = pa.Field(ge=0, description="US dollars.")
    mae: float = pa.Field(ge=0, description="Mean absolute error, US dollars.")
    mae_low: float = pa.Field(ge=0, description="US dollars.")
    mae_high: float = pa.Field(ge=0, description="US dollars.")
    mape: float = pa.Field(ge=0, description="Mean absolute percentage error, %.")
    mape_low: float = pa.Field(ge=0, description="%.")
    mape_high: float = pa.Field(ge=0, description="%.")
    median_ape: float = pa.Field(ge=0, description="Median absolute percentage error, %.")
    median_ape_low: float = pa.Field(ge=0, description="%.")
    median_ape_high: float = pa.Field(ge=0, description="%.")
    r2: float = pa.Field(nullable=True, description="Coefficient of determination; missing where prices are constant.")
    r2_low: float = pa.Field(nullable=True, description="Missing where prices are constant.")
    r2_high: float = pa.Field(nullable=True, description="Missing where prices are constant.")
    coverage: float = pa.Field(nullable=True, ge=0, le=1, description="Share inside the model's 90 % intervals.")


class Leaderboard(Table):
    """One row a model: those evaluated and the champion, scored on the same rows, then those that were champion."""

    rank: int = pa.Field(ge=1, description="Place by validation error; former champions come last.")
    backbone: str = pa.Field(description="Backbone.")
    weights: str = pa.Field(description="Where the backbone's weights come from, in plain words.")
    model: str = pa.Field(unique=True, description="The model's folder, relative to the lake.")
    champion: bool = pa.Field(description="Whether this model prices the releases.")
    standing: str = pa.Field(
        isin=STANDINGS, description="former: a better one replaced it; set aside: replaced by hand, stays so."
    )
    since: Timestamp = pa.Field(description="Since when it has that standing.")
    rows: int = pa.Field(ge=1, description="Validation rows that all were compared on when it was scored last.")
    validation_rmse: float = pa.Field(ge=0, description="What the champion is chosen by, US dollars.")
    test_rmse: float = pa.Field(nullable=True, ge=0, description="US dollars; missing without test rows.")
    test_rmse_low: float = pa.Field(nullable=True, ge=0, description="Of its bootstrap 95 % interval, US dollars.")
    test_rmse_high: float = pa.Field(nullable=True, ge=0, description="Of its bootstrap 95 % interval, US dollars.")
    test_mae: float = pa.Field(nullable=True, ge=0, description="US dollars.")
    test_mape: float = pa.Field(nullable=True, ge=0, description="%.")
    test_r2: float = pa.Field(nullable=True, description="Coefficient of determination.")
    mean_test_rmse: float = pa.Field(
        nullable=True, ge=0, description="Test RMSE of the mean of the training prices, US dollars."
    )
    parameters: float = pa.Field(nullable=True, gt=0, description="Numbers in backbone and head.")
    training_seconds: float = pa.Field(
        nullable=True,
        ge=0,
        description="What fitting the head took, or all epochs of a fine-tuning; missing where that was not kept.",
    )
    images_per_second: float = pa.Field(
        nullable=True,
        gt=0,
        description="Of the pass that made its features, from the file on and in all its views; missing likewise.",
    )


class TunedHyperparameters(Table):
    """One row a trial of the search for a head's settings; a setting that its kind has not is missing."""

    backbone: str = pa.Field(description="Backbone, the partition key.")
    kind: str = pa.Field(isin=("pooled", "kernel_ridge"), description="What was fitted.")
    trial: int = pa.Field(ge=0, description="Its number in its kind's study; 0 has the default settings.")
    state: str = pa.Field(
        isin=("complete", "pruned", "fail"), description="pruned: given up early; fail: killed, or no number."
    )
    target: str = pa.Field(nullable=True, isin=("dollars", "log"), description="What the head is fitted to.")
    learning_rate: float = pa.Field(nullable=True, gt=0, description="Adam's first learning rate.")
    hidden: float = pa.Field(nullable=True, gt=0, description="Width of the hidden layer.")
    dropout: float = pa.Field(nullable=True, ge=0, lt=1, description="Share of hidden units dropped.")
    weight_decay: float = pa.Field(nullable=True, ge=0, description="Decoupled weight decay.")
    batch_size: float = pa.Field(nullable=True, gt=0, description="Rows a step.")
    gamma: float = pa.Field(nullable=True, gt=0, description="Width of a kernel's bells.")
    alpha: float = pa.Field(nullable=True, gt=0, description="A kernel's penalty.")
    epochs: int = pa.Field(ge=0, description="Epochs it was trained for; 0 for a closed form.")
    validation_rmse: float = pa.Field(nullable=True, ge=0, description="Best epoch's, US dollars.")
    seconds: float = pa.Field(ge=0, description="What it took.")
    chosen: bool = pa.Field(description="Whether its validation error is the least of all kinds.")


class ResidualAttributes(Table):
    """How what a model leaves unexplained on test rows goes with attributes of the shoe; residuals are logarithms."""

    backbone: str = pa.Field(description="Backbone, the partition key.")
    attribute: str = pa.Field(description="brightness, saturation, warmth, height (over width), brand, ...")
    member: str = pa.Field(description="A group, a fifth of the rows by the attribute, or `all`.")
    measure: str = pa.Field(
        isin=("spearman", "eta_squared", "mean_residual"),
        description="Rank correlation; share of variance between groups; mean of log price less log prediction.",
    )
    n: int = pa.Field(ge=1, description="Test rows.")
    value: float = pa.Field(description="The measure.")
    p_value: float = pa.Field(nullable=True, ge=0, le=1, description="Of the correlation, or of a one-way ANOVA.")


class LeakReport(Table):
    """What a split by listing, as the article's was, would have scored beside the one by twin group."""

    backbone: str = pa.Field(description="Backbone, the partition key.")
    split: str = pa.Field(isin=("by twin group", "by listing"), description="How train and test were divided.")
    scored_on: str = pa.Field(isin=("all", "without twins"), description="All test rows, or those without a twin.")
    predictor: str = pa.Field(isin=("ridge", "twin's price, else ridge"), description="What was scored.")
    n: int = pa.Field(ge=1, description="Test rows scored.")
    with_twin: int = pa.Field(ge=0, description="How many of them have a twin in train.")
    mse: float = pa.Field(ge=0, description="Mean squared error, US dollars squared.")
    r2: float = pa.Field(nullable=True, description="Coefficient of determination.")


class OutlierAblation(Table):
    """Two models, trained with and without the outliers, each scored on both test populations."""

    backbone: str = pa.Field(description="Backbone, the partition key.")
    trained_on: str = pa.Field(isin=("all", "clean"), description="With the outliers, or without.")
    scored_on: str = pa.Field(isin=("all", "clean"), description="Test rows with the outliers, or without.")
    n: int = pa.Field(ge=1, description="Test rows.")
    mse: float = pa.Field(ge=0, description="Mean squared error, US dollars squared.")
    rmse: float = pa.Field(ge=0, description="Root mean squared error, US dollars.")
    mae: float = pa.Field(ge=0, description="Mean absolute error, US dollars.")
    r2: float = pa.Field(nullable=True, description="Coefficient of determination.")
