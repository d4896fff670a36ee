"""Price models: evaluation, leaderboard, hyperparameter search and studies."""

import pandera.pandas as pa

from sneaker_assets.tables.base import Table, Timestamp
from sneaker_assets.tables.values import PREDICTORS, STANDINGS


class EvaluationMetrics(Table):
    """Error metrics of the model and of the baselines; `_low` and `_high` are the ends of bootstrap 95 % intervals."""

    backbone: str = pa.Field(description="Backbone, the partition key; `ensemble` for an ensemble.")
    weights: str = pa.Field(description="Source of the backbone's weights.")
    model: str = pa.Field(description="Folder of the model, relative to the lake.")
    predictor: str = pa.Field(isin=PREDICTORS, description="The model, or a baseline fitted to the training set.")
    split: str = pa.Field(isin=("validation", "test"), description="Split on which it was evaluated.")
    group: str = pa.Field(
        isin=("all", "site", "price", "price_band", "predicted_price", "label_kind"),
        description="Grouping of the rows; price: below the median of the training prices, or not; predicted_price: "
        "fifths of the predicted price.",
    )
    member: str = pa.Field(description="The group within the grouping.")
    n: int = pa.Field(ge=1, description="Number of rows.")
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
    r2: float = pa.Field(nullable=True, description="Coefficient of determination; missing if prices are constant.")
    r2_low: float = pa.Field(nullable=True, description="Missing if prices are constant.")
    r2_high: float = pa.Field(nullable=True, description="Missing if prices are constant.")
    coverage: float = pa.Field(
        nullable=True, ge=0, le=1, description="Share of prices inside the model's 90 % intervals."
    )


class Leaderboard(Table):
    """One row per model: champion and challengers, evaluated on the same rows, then former champions."""

    rank: int = pa.Field(ge=1, description="Rank by validation RMSE; former champions come last.")
    backbone: str = pa.Field(description="Backbone; `ensemble` for an ensemble.")
    weights: str = pa.Field(description="Source of the backbone's weights.")
    model: str = pa.Field(unique=True, description="Folder of the model, relative to the lake.")
    champion: bool = pa.Field(description="Whether this model prices the releases.")
    standing: str = pa.Field(
        isin=STANDINGS,
        description="former: replaced by a better model; set aside: replaced manually, never reinstated automatically.",
    )
    since: Timestamp = pa.Field(description="Time since which the model has this standing.")
    rows: int = pa.Field(ge=1, description="Number of validation rows common to all models at its last evaluation.")
    validation_rmse: float = pa.Field(ge=0, description="Validation RMSE, which selects the champion, US dollars.")
    test_rmse: float = pa.Field(nullable=True, ge=0, description="Test RMSE, US dollars; missing without test rows.")
    test_rmse_low: float = pa.Field(
        nullable=True, ge=0, description="Lower end of its bootstrap 95 % interval, US dollars."
    )
    test_rmse_high: float = pa.Field(
        nullable=True, ge=0, description="Upper end of its bootstrap 95 % interval, US dollars."
    )
    test_mae: float = pa.Field(nullable=True, ge=0, description="Mean absolute error on test rows, US dollars.")
    test_mape: float = pa.Field(nullable=True, ge=0, description="Mean absolute percentage error on test rows, %.")
    test_r2: float = pa.Field(nullable=True, description="Coefficient of determination on test rows.")
    mean_test_rmse: float = pa.Field(
        nullable=True, ge=0, description="Test RMSE of the mean of the training prices, US dollars."
    )
    parameters: float = pa.Field(nullable=True, gt=0, description="Number of parameters of backbones and heads.")
    training_seconds: float = pa.Field(
        nullable=True,
        ge=0,
        description="Duration of fitting the head, or of all fine-tuning epochs, seconds; missing if not recorded.",
    )
    images_per_second: float = pa.Field(
        nullable=True,
        gt=0,
        description="Throughput of the feature extraction, decoding and all views included; missing if not recorded.",
    )


class TunedHyperparameters(Table):
    """One row per trial of the hyperparameter search; settings that do not apply to a kind of head are missing."""

    backbone: str = pa.Field(description="Backbone, the partition key.")
    kind: str = pa.Field(isin=("pooled", "kernel_ridge"), description="Kind of head.")
    trial: int = pa.Field(ge=0, description="Number of the trial within its study; trial 0 has the default settings.")
    state: str = pa.Field(
        isin=("complete", "pruned", "fail"),
        description="pruned: stopped early; fail: interrupted, or the error was not finite.",
    )
    target: str = pa.Field(nullable=True, isin=("dollars", "log"), description="Scale of the regression target.")
    learning_rate: float = pa.Field(nullable=True, gt=0, description="Initial learning rate of Adam.")
    hidden: float = pa.Field(nullable=True, gt=0, description="Width of the hidden layer.")
    dropout: float = pa.Field(nullable=True, ge=0, lt=1, description="Dropout rate of the hidden layer.")
    weight_decay: float = pa.Field(nullable=True, ge=0, description="Decoupled weight decay.")
    batch_size: float = pa.Field(nullable=True, gt=0, description="Rows per step.")
    gamma: float = pa.Field(nullable=True, gt=0, description="RBF kernel coefficient gamma.")
    alpha: float = pa.Field(nullable=True, gt=0, description="Regularisation strength of kernel ridge regression.")
    epochs: int = pa.Field(ge=0, description="Number of epochs; 0 for a closed-form solution.")
    validation_rmse: float = pa.Field(nullable=True, ge=0, description="Validation RMSE of the best epoch, US dollars.")
    seconds: float = pa.Field(ge=0, description="Duration of the trial, seconds.")
    chosen: bool = pa.Field(description="Whether its validation RMSE is the lowest of all trials.")


class ResidualAttributes(Table):
    """Association between the log residuals of the test rows and attributes of the shoes."""

    backbone: str = pa.Field(description="Backbone, the partition key; `ensemble` for an ensemble.")
    attribute: str = pa.Field(description="brightness, saturation, warmth, height (relative to width), brand, ...")
    member: str = pa.Field(description="A group, a quintile of the attribute (`fifth 1` is the lowest), or `all`.")
    measure: str = pa.Field(
        isin=("spearman", "eta_squared", "mean_residual"),
        description="Rank correlation; share of variance between groups; mean of log price minus log prediction.",
    )
    n: int = pa.Field(ge=1, description="Number of test rows.")
    value: float = pa.Field(description="Value of the measure.")
    p_value: float = pa.Field(
        nullable=True, ge=0, le=1, description="p-value of the correlation, or of a one-way ANOVA."
    )


class LeakReport(Table):
    """Effect of leakage: a split by listing, as in the article, compared with a split by near-duplicate group."""

    backbone: str = pa.Field(description="Backbone, the partition key.")
    split: str = pa.Field(isin=("by twin group", "by listing"), description="Unit that was split into train and test.")
    scored_on: str = pa.Field(
        isin=("all", "without twins"), description="All test rows, or those without a near duplicate in train."
    )
    predictor: str = pa.Field(
        isin=("ridge", "twin's price, else ridge"),
        description="Ridge regression, or the price of a near duplicate in train where there is one.",
    )
    n: int = pa.Field(ge=1, description="Number of test rows scored.")
    with_twin: int = pa.Field(ge=0, description="Number of these rows with a near duplicate in train.")
    mse: float = pa.Field(ge=0, description="Mean squared error, US dollars squared.")
    r2: float = pa.Field(nullable=True, description="Coefficient of determination.")


class OutlierAblation(Table):
    """Models trained with and without outliers, each evaluated on test rows with and without outliers."""

    backbone: str = pa.Field(description="Backbone, the partition key.")
    trained_on: str = pa.Field(isin=("all", "clean"), description="all: with outliers; clean: without.")
    scored_on: str = pa.Field(isin=("all", "clean"), description="all: test rows with outliers; clean: without.")
    n: int = pa.Field(ge=1, description="Number of test rows.")
    mse: float = pa.Field(ge=0, description="Mean squared error, US dollars squared.")
    rmse: float = pa.Field(ge=0, description="Root mean squared error, US dollars.")
    mae: float = pa.Field(ge=0, description="Mean absolute error, US dollars.")
    r2: float = pa.Field(nullable=True, description="Coefficient of determination.")


class TrainingSizeCurve(Table):
    """Learning curve: errors of heads that were trained on nested shares of the training rows."""

    backbone: str = pa.Field(description="Backbone, the partition key.")
    head: str = pa.Field(description="Kind of head.")
    share: float = pa.Field(gt=0, le=1, description="Requested share of the training rows; whole groups are drawn.")
    repetition: int = pa.Field(
        ge=0, description="Number of the random order of the groups; subsets of the same order contain each other."
    )
    rows: int = pa.Field(ge=1, description="Number of training rows in the subset.")
    groups: int = pa.Field(ge=1, description="Number of groups of near duplicates and shoes in the subset.")
    predictor: str = pa.Field(
        isin=("model", "mean"), description="The head fitted to the subset, or the mean price of the subset."
    )
    split: str = pa.Field(isin=("validation", "test"), description="Split on which it was evaluated.")
    n: int = pa.Field(ge=1, description="Number of rows of that split.")
    mse: float = pa.Field(ge=0, description="Mean squared error, US dollars squared.")
    rmse: float = pa.Field(ge=0, description="Root mean squared error, US dollars.")
    rmse_low: float = pa.Field(ge=0, description="Lower end of its bootstrap 95 % interval, US dollars.")
    rmse_high: float = pa.Field(ge=0, description="Upper end of its bootstrap 95 % interval, US dollars.")
    mae: float = pa.Field(ge=0, description="Mean absolute error, US dollars.")
    r2: float = pa.Field(nullable=True, description="Coefficient of determination.")
