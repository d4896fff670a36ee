"""The schema of every table in the lake, one pandera model each.

Validation before a write, the column schema that Dagster shows and the README's data dictionary all come from here.
How a table is stored is ``lake``'s concern; how its rows come about is the domain's.

pandera: https://pandera.readthedocs.io/en/stable/dataframe_models.html
"""

from typing import Annotated, Literal, get_args

import pandas as pd
import pandera.pandas as pa

LabelKind = Literal["average_sale", "last_sale", "lowest_ask", "highest_bid", "list", "sale", "retail", "unknown"]
"""What a price means; ``list`` is the shop's own price, ``sale`` its reduced one, ``unknown`` was never said."""

LABEL_KINDS: tuple[LabelKind, ...] = get_args(LabelKind)
SPLITS = ("train", "validation", "test")
FENCE_METHODS = ("iqr", "modified_z", "fixed_cap")
RESOLUTIONS = ("median", "drop")
REMOVAL_REASONS = ("no_price", "below_fence", "above_fence", "twins_disagree")

DEAREST = 10_000_000.0
"""US dollars; no shoe was ever sold for as much, so a price beyond it was misread."""

Timestamp = Annotated[pd.DatetimeTZDtype, "us", "UTC"]


class Table(pa.DataFrameModel):
    """What all tables share: no unknown column, columns in order, values converted to their dtype."""

    class Config:
        """pandera's settings for every table."""

        strict = True
        ordered = True
        coerce = True


class Observations(Table):
    """One price of one product at one site, as seen at one moment; append-only, so that prices have a history."""

    site: str = pa.Field(description="Source site, the partition key.")
    product_id: str = pa.Field(description="The site's own identifier of the product.")
    url: str = pa.Field(description="Page the product was found on.")
    title: str = pa.Field(description="Product title as listed.")
    brand: str = pa.Field(nullable=True, description="Brand as listed.")
    style_code: str = pa.Field(nullable=True, description="Manufacturer's style code.")
    colourway: str = pa.Field(nullable=True, description="Colourway as listed.")
    image_url: str = pa.Field(description="Address of the main product image.")
    retail_price: float = pa.Field(nullable=True, gt=0, description="Retail price at release, in `currency`.")
    release_date: Timestamp = pa.Field(nullable=True, description="Release date (UTC midnight).")
    amount: float = pa.Field(nullable=True, gt=0, description="Observed price in `currency`; missing, never 0.")
    currency: str = pa.Field(nullable=True, str_length=3, description="ISO 4217 currency of the amounts.")
    label_kind: str = pa.Field(isin=LABEL_KINDS, description="What the amount means.")
    size: str = pa.Field(nullable=True, description="Shoe size the amount is for; missing where it is for the product.")
    observed_at: Timestamp = pa.Field(description="When the page was read.")
    raw_text: str = pa.Field(nullable=True, description="The amount as the page wrote it.")
    generation: str = pa.Field(description="Which generation of the site's page the adapter read.")


class Images(Table):
    """One product image address and what became of it."""

    site: str = pa.Field(description="Source site, the partition key.")
    image_url: str = pa.Field(unique=True, description="Address of the image.")
    sha256: str = pa.Field(nullable=True, str_length=64, description="sha256 of the bytes; missing without an image.")
    n_bytes: int = pa.Field(ge=0, description="Size of the file in bytes.")
    width: int = pa.Field(ge=0, description="Width in pixels, 0 where it does not decode.")
    height: int = pa.Field(ge=0, description="Height in pixels, 0 where it does not decode.")
    problem: str = pa.Field(nullable=True, description="Why there is no usable image, in one line.")


class FxRates(Table):
    """What one unit of a currency was worth in US dollars, one row a currency and day of publication."""

    currency: str = pa.Field(str_length=3, description="ISO 4217 currency.")
    date: Timestamp = pa.Field(description="Day of publication (UTC midnight).")
    usd: float = pa.Field(gt=0, lt=100, description="US dollars for one unit.")

    class Config:
        """A currency has one rate a day."""

        unique = ("currency", "date")


class PriceObservations(Table):
    """The price history in US dollars: each amount that was seen, with the rate it was converted at."""

    site: str = pa.Field(description="Source site.")
    product_id: str = pa.Field(description="The site's own identifier of the product.")
    observed_at: Timestamp = pa.Field(description="When the page was read.")
    label_kind: str = pa.Field(isin=LABEL_KINDS, description="What the amount means.")
    size: str = pa.Field(nullable=True, description="Shoe size the amount is for; missing where it is for the product.")
    amount: float = pa.Field(nullable=True, description="Observed price in `currency`; missing, never 0.")
    currency: str = pa.Field(nullable=True, description="ISO 4217 currency of the amount.")
    fx_rate: float = pa.Field(nullable=True, gt=0, description="US dollars for one unit of the currency.")
    fx_date: Timestamp = pa.Field(nullable=True, description="The day that rate was published.")
    price: float = pa.Field(nullable=True, gt=0, le=DEAREST, description="The amount in US dollars, where it has one.")
    problem: str = pa.Field(nullable=True, description="Why the amount has no price in US dollars, in one line.")


class ImageProperties(Table):
    """What a picture is, whichever listings show it: computed once for each sha256 and kept for good."""

    sha256: str = pa.Field(unique=True, str_length=64, description="The image: sha256 of its bytes.")
    first_seen: Timestamp = pa.Field(description="When a listing was first seen to show it.")
    left: int = pa.Field(ge=0, description="Left edge of what is not white border, pixels.")
    top: int = pa.Field(ge=0, description="Its top edge, pixels.")
    right: int = pa.Field(gt=0, description="Its right edge, pixels, not included.")
    bottom: int = pa.Field(gt=0, description="Its bottom edge, pixels, not included.")
    red: float = pa.Field(ge=0, le=255, description="Mean red inside that box, 0 to 255.")
    green: float = pa.Field(ge=0, le=255, description="Mean green inside that box, 0 to 255.")
    blue: float = pa.Field(ge=0, le=255, description="Mean blue inside that box, 0 to 255.")
    picture_hash: str = pa.Field(nullable=True, str_length=64, description="Perceptual hash, 256 bits in hex.")
    recipe: str = pa.Field(description="The settings it was computed with.")


class Listings(Table):
    """One product at one site: its latest price joined to its decodable image."""

    site: str = pa.Field(description="Source site.")
    product_id: str = pa.Field(description="The site's own identifier of the product.")
    url: str = pa.Field(description="Page the product was found on.")
    title: str = pa.Field(description="Product title as listed.")
    brand: str = pa.Field(nullable=True, description="Brand as listed.")
    style_code: str = pa.Field(nullable=True, description="Manufacturer's style code.")
    colourway: str = pa.Field(nullable=True, description="Colourway as listed.")
    retail_price: float = pa.Field(nullable=True, gt=0, le=DEAREST, description="Retail price, US dollars.")
    release_date: Timestamp = pa.Field(nullable=True, description="Release date (UTC midnight).")
    price: float = pa.Field(nullable=True, gt=0, le=DEAREST, description="The label in US dollars; missing, never 0.")
    label_kind: str = pa.Field(nullable=True, isin=LABEL_KINDS, description="What the price means.")
    amount: float = pa.Field(nullable=True, gt=0, description="The label as observed, in `currency`.")
    currency: str = pa.Field(nullable=True, str_length=3, description="ISO 4217 currency of the amount.")
    fx_rate: float = pa.Field(nullable=True, gt=0, description="US dollars for one unit of the currency.")
    fx_date: Timestamp = pa.Field(nullable=True, description="The day that rate was published.")
    observed_at: Timestamp = pa.Field(description="When that price was seen.")
    sha256: str = pa.Field(str_length=64, description="The image: sha256 of its bytes.")
    width: int = pa.Field(gt=0, description="Image width in pixels.")
    height: int = pa.Field(gt=0, description="Image height in pixels.")
    left: int = pa.Field(ge=0, description="Left edge of what is not white border, pixels.")
    top: int = pa.Field(ge=0, description="Its top edge, pixels.")
    right: int = pa.Field(gt=0, description="Its right edge, pixels, not included.")
    bottom: int = pa.Field(gt=0, description="Its bottom edge, pixels, not included.")
    red: float = pa.Field(ge=0, le=255, description="Mean red inside that box, 0 to 255.")
    green: float = pa.Field(ge=0, le=255, description="Mean green inside that box, 0 to 255.")
    blue: float = pa.Field(ge=0, le=255, description="Mean blue inside that box, 0 to 255.")
    twin_group: str = pa.Field(str_length=64, description="The first seen of the images that show the same picture.")

    class Config:
        """A product of a site is listed once."""

        unique = ("site", "product_id")


class CleanListings(Listings):
    """The listings to learn from: every price is known, inside the fence and agreed on by the picture's twins."""

    price: float = pa.Field(gt=0, le=DEAREST, description="The label in US dollars, after twins were made to agree.")
    label_kind: str = pa.Field(isin=LABEL_KINDS, description="What the price means.")
    listed_price: float = pa.Field(gt=0, le=DEAREST, description="The listing's own price in US dollars.")


class RemovedListings(Listings):
    """The listings that are not learned from, and why."""

    reason: str = pa.Field(isin=REMOVAL_REASONS, description="Why it was removed.")
    limit: float = pa.Field(nullable=True, description="The fence it lies beyond, US dollars.")


class PriceFences(Table):
    """The fences that prices were held to, and what lay beyond them."""

    scope: str = pa.Field(unique=True, description="The site, or `all`.")
    method: str = pa.Field(isin=FENCE_METHODS, description="How the fence was computed.")
    lower: float = pa.Field(description="Lowest price that is kept, US dollars.")
    upper: float = pa.Field(description="Highest price that is kept, US dollars.")
    n: int = pa.Field(ge=1, description="Prices it was computed from.")
    below: int = pa.Field(ge=0, description="Prices below it.")
    above: int = pa.Field(ge=0, description="Prices above it.")


class TwinConflicts(Table):
    """Groups of listings that show the same picture at prices further apart than the tolerance."""

    twin_group: str = pa.Field(unique=True, str_length=64, description="Identity of the group.")
    n: int = pa.Field(ge=2, description="Listings inside the fence.")
    lowest: float = pa.Field(gt=0, description="Their lowest price, US dollars.")
    median: float = pa.Field(gt=0, description="Their median price, US dollars.")
    highest: float = pa.Field(gt=0, description="Their highest price, US dollars.")
    spread: float = pa.Field(gt=0, description="Highest over lowest price, minus 1.")
    resolution: str = pa.Field(isin=RESOLUTIONS, description="median: all take it; drop: all are removed.")


class Splits(Table):
    """Which side of the split each clean listing is on; all listings of a twin group are on the same one."""

    site: str = pa.Field(description="Source site.")
    product_id: str = pa.Field(description="The site's own identifier of the product.")
    sha256: str = pa.Field(str_length=64, description="The image: sha256 of its bytes.")
    twin_group: str = pa.Field(description="Identity of the group of listings that show the same picture.")
    price: float = pa.Field(gt=0, description="The label in US dollars.")
    split: str = pa.Field(isin=SPLITS, description="train, validation or test.")


class PriceStatistics(Table):
    """Five-number summaries of the prices, before and after cleaning, per site and for all sites."""

    population: str = pa.Field(isin=("raw", "clean"), description="Before or after the outliers were removed.")
    site: str = pa.Field(description="Source site, or `all`.")
    n: int = pa.Field(ge=1, description="Listings with a price.")
    minimum: float = pa.Field(description="Lowest price, US dollars.")
    q1: float = pa.Field(description="First quartile, US dollars.")
    median: float = pa.Field(description="Median, US dollars.")
    q3: float = pa.Field(description="Third quartile, US dollars.")
    maximum: float = pa.Field(description="Highest price, US dollars.")
    mean: float = pa.Field(description="Mean, US dollars.")
    deviation: float = pa.Field(nullable=True, description="Standard deviation, US dollars; missing for one listing.")
    skewness: float = pa.Field(nullable=True, description="Sample skewness; missing below three listings.")


PREDICTORS = ("model", "mean", "median", "site_median", "nearest_neighbour")


class EvaluationMetrics(Table):
    """How far a predictor's prices are from the true ones; `_low` and `_high` bound a bootstrap 95 % interval."""

    backbone: str = pa.Field(description="Backbone, the partition key.")
    weights: str = pa.Field(description="Where the backbone's weights come from, in plain words.")
    model: str = pa.Field(description="The model's folder, relative to the lake.")
    predictor: str = pa.Field(isin=PREDICTORS, description="The model, or a baseline of the training prices.")
    split: str = pa.Field(isin=("validation", "test"), description="Rows it was scored on.")
    group: str = pa.Field(isin=("all", "site", "price", "label_kind"), description="What the rows are grouped by.")
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


STANDINGS = ("champion", "challenger", "former", "set aside")


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
        nullable=True, ge=0, description="What its epochs took where it was trained; missing where that was not kept."
    )


class Releases(Table):
    """One announced shoe that is not yet sold."""

    release: str = pa.Field(description="The partition key: site and product.")
    site: str = pa.Field(description="Site that announced it.")
    product_id: str = pa.Field(description="The site's own identifier of the product.")
    url: str = pa.Field(description="Page of the announcement.")
    title: str = pa.Field(description="Product title as announced.")
    brand: str = pa.Field(nullable=True, description="Brand as announced.")
    retail_amount: float = pa.Field(nullable=True, gt=0, description="Retail price as announced, in `currency`.")
    currency: str = pa.Field(nullable=True, str_length=3, description="ISO 4217; missing where none is named.")
    fx_rate: float = pa.Field(nullable=True, gt=0, description="US dollars for one unit of the currency.")
    fx_date: Timestamp = pa.Field(nullable=True, description="The day that rate was published.")
    retail_price: float = pa.Field(nullable=True, gt=0, le=DEAREST, description="Retail price, US dollars.")
    release_date: Timestamp = pa.Field(nullable=True, description="Announced release date (UTC midnight).")
    observed_at: Timestamp = pa.Field(description="When the announcement was read.")
    sha256: str = pa.Field(str_length=64, description="The image: sha256 of its bytes.")


class ReleasePredictions(Releases):
    """An announced shoe with the champion's price for it."""

    predicted_price: float = pa.Field(description="The champion's price, US dollars.")
    price_low: float = pa.Field(gt=0, description="Lower end of the 90 % interval, US dollars.")
    price_high: float = pa.Field(gt=0, description="Its upper end, US dollars.")
    premium: float = pa.Field(nullable=True, description="Predicted price over retail price, minus 1.")
    selling_costs: float = pa.Field(description="Fees and shipping of a sale at the predicted price, US dollars.")
    net_profit: float = pa.Field(nullable=True, description="What a sale leaves after them and retail, US dollars.")
    similar: str = pa.Field(description="The most similar shoes and their prices: a JSON array of objects.")
    predicted_at: Timestamp = pa.Field(description="When it was priced.")
    backbone: str = pa.Field(description="The champion's backbone.")
    model: str = pa.Field(description="The champion's folder, relative to the lake.")


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


class Backtest(Table):
    """A prediction beside what was paid or asked for the shoe later."""

    release: str = pa.Field(description="Site and product.")
    site: str = pa.Field(description="Site.")
    product_id: str = pa.Field(description="The site's own identifier of the product.")
    model: str = pa.Field(description="The model's folder, or how the replay fitted its own.")
    predicted_at: Timestamp = pa.Field(description="When it was priced.")
    observed_at: Timestamp = pa.Field(description="When a resale price was first seen after that.")
    horizon: float = pa.Field(ge=0, description="Days from the one to the other.")
    predicted_price: float = pa.Field(description="The prediction, US dollars.")
    price_low: float = pa.Field(gt=0, description="Lower end of the 90 % interval, US dollars.")
    price_high: float = pa.Field(gt=0, description="Its upper end, US dollars.")
    price: float = pa.Field(gt=0, le=DEAREST, description="The price that was seen, US dollars.")
    label_kind: str = pa.Field(isin=LABEL_KINDS, description="What that price means.")
    covered: bool = pa.Field(description="Whether it lies in the interval.")


class ReleaseReplay(Backtest):
    """Past releases priced as on the day they were announced, from what was known on that day."""

    known: int = pa.Field(ge=1, description="Shoes whose price was known on that day.")


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


SCHEMAS: dict[str, type[Table]] = {
    "raw_scrapes": Observations,
    "scraped_images": Images,
    "fx_rates": FxRates,
    "price_observations": PriceObservations,
    "image_properties": ImageProperties,
    "listings": Listings,
    "clean_listings": CleanListings,
    "removed_listings": RemovedListings,
    "price_fences": PriceFences,
    "twin_conflicts": TwinConflicts,
    "splits": Splits,
    "price_statistics": PriceStatistics,
    "tuned_hyperparameters": TunedHyperparameters,
    "evaluation_metrics": EvaluationMetrics,
    "residual_attributes": ResidualAttributes,
    "finetuned_evaluation": EvaluationMetrics,
    "leak_report": LeakReport,
    "outlier_ablation": OutlierAblation,
    "model_leaderboard": Leaderboard,
    "releases": Releases,
    "release_predictions": ReleasePredictions,
    "prediction_backtest": Backtest,
    "release_replay": ReleaseReplay,
}
"""Asset name to the schema of the table it writes."""
