"""Figures of the listings and the data set: images, prices, outlier fences, leakage."""

import itertools
import json
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from upath import UPath

from sneaker_assets.figures.style import BLUE, GREY, ORANGE, THOUSANDS, dollars, label_log_prices, styled
from sneaker_assets.vision.imaging.opening import open_image


@styled
def image_sample(listings: pd.DataFrame, images: Sequence[UPath], columns: int = 5) -> Figure:
    """Grid of product images, each with its price and label kind.

    Args:
        listings: The sampled rows of ``tables.Listings``, all with a price.
        images: The image file of each row.
        columns: Images per row of the grid.
    """
    rows = max(1, -(-len(listings) // columns))
    figure = Figure(figsize=(2 * columns, 1.45 * rows + 0.4), layout="constrained")
    figure.suptitle(f"{len(listings)} random listings", x=0.01, ha="left", fontsize=11, fontweight="bold")
    for axes in figure.subplots(rows, columns, squeeze=False).ravel():
        axes.set_axis_off()
    for axes, path, shoe in zip(figure.axes, images, listings.itertuples(), strict=False):
        with path.open("rb") as file:
            axes.imshow(open_image(file).decode((200, 100)))
        axes.set_title(f"${shoe.price:,.0f}", loc="center", fontsize=9)
        axes.text(0.5, -0.02, _label_name(shoe.label_kind), transform=axes.transAxes, ha="center", va="top", fontsize=7)
    return figure


@styled
def prices_by_first_seen(observations: pd.DataFrame) -> Figure:
    """Scatter plot of the latest price of each product and label kind against the day it was first seen.

    Args:
        observations: ``tables.Observations`` of one site.
    """
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes: Axes = figure.subplots()
    first_seen = observations.groupby("product_id")["observed_at"].transform("min")
    priced = observations.assign(first_seen=first_seen)[observations["amount"].notna() & observations["size"].isna()]
    latest = priced.sort_values("observed_at").drop_duplicates(["product_id", "label_kind"], keep="last")
    for kind, rows in latest.groupby("label_kind"):
        axes.scatter(rows["first_seen"], rows["amount"], s=10, alpha=0.5, linewidths=0, label=_label_name(kind))
    currencies = ", ".join(sorted(latest["currency"].dropna().unique())) or "unknown currency"
    axes.set(
        title=f"{observations['product_id'].nunique():,} products by the day they were first seen",
        xlabel="First seen (UTC)",
        ylabel=f"Latest price ({currencies}, log scale)",
    )
    if len(latest):
        margin = pd.Timedelta(days=4)
        axes.set_xlim(latest["first_seen"].min() - margin, latest["first_seen"].max() + margin)
        axes.set_yscale("log")
        label_log_prices(axes.yaxis)
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    figure.autofmt_xdate()
    return figure


@styled
def price_histograms(listings: pd.DataFrame, clean_listings: pd.DataFrame, fences: pd.DataFrame) -> Figure:
    """Histograms of the raw prices, on a linear and a log scale with the outlier fences, and of the clean prices.

    Args:
        listings: ``tables.Listings``.
        clean_listings: ``tables.CleanListings``.
        fences: ``tables.PriceFences``.
    """
    figure = Figure(figsize=(13, 3.6), layout="constrained")
    linear, logarithmic, cleaned = figure.subplots(1, 3)
    raw, clean = listings["price"].dropna(), clean_listings["price"]
    raw = raw[np.isfinite(raw)]
    linear.hist(raw, bins=100, color=GREY)
    linear.set(title=f"Raw: {len(raw):,} prices, maximum ${raw.max():,.0f}", yscale="log", xlabel=dollars())
    linear.set_ylabel("Listings (log scale)")
    logarithmic.hist(raw, bins=np.geomspace(raw.min() / 1.01, raw.max() * 1.01, 50), color=GREY)
    logarithmic.set(title="Raw, log scale", xscale="log", xlabel="Price (US dollars, log scale)", ylabel="Listings")
    for axes in (linear, logarithmic):
        _draw_fences(axes, fences)
    cleaned.hist(clean, bins=50, color=BLUE)
    cleaned.axvline(clean.median(), color=ORANGE, label=f"median ${clean.median():,.0f}")
    cleaned.set(title=f"Clean: {len(clean):,} prices", xlabel=dollars(), ylabel="Listings")
    cleaned.legend()
    label_log_prices(logarithmic.xaxis)
    for axis in (linear.xaxis, logarithmic.yaxis, cleaned.xaxis, cleaned.yaxis):
        axis.set_major_formatter(THOUSANDS)
    return figure


def _draw_fences(axes: Axes, fences: pd.DataFrame) -> None:
    """Draw each upper fence as a vertical line, with one line style per scope."""
    for scope, upper, line in zip(fences["scope"], fences["upper"], itertools.cycle(("--", ":", "-."))):
        name = "upper fence" if scope == "all" else f"upper fence, {scope}"
        axes.axvline(upper, color=ORANGE, linestyle=line, label=f"{name} ${upper:,.0f}")
    axes.legend()


@styled
def prices_by_label(listings: pd.DataFrame) -> Figure:
    """Box plot of prices by site and label kind: quartiles, whiskers to 1.5 interquartile ranges, outliers as points.

    Args:
        listings: ``tables.Listings``; rows without a price are ignored.
    """
    priced = listings[listings["price"].notna()]
    groups = {
        f"{site}\n{_label_name(kind)}": prices
        for (site, kind), prices in priced.groupby(["site", "label_kind"], observed=True)["price"]
    }
    return _box_plot(groups, "Prices by site and label kind")


@styled
def prices_by_brand(listings: pd.DataFrame, max_brands: int = 15) -> Figure:
    """Box plot of prices of the brands with the most listings, sorted by descending median price.

    Args:
        listings: ``tables.CleanListings``; listings without a brand form one group.
        max_brands: Number of brands shown.
    """
    brands = listings["brand"].astype(object).fillna("unknown brand")
    shown = brands.value_counts().head(max_brands).index
    groups = {str(brand): prices for brand, prices in listings["price"].groupby(brands) if brand in shown}
    by_median = sorted(groups.items(), key=lambda item: -float(item[1].median()))
    return _box_plot(dict(by_median), f"Clean prices by brand ({len(groups)} of {brands.nunique():,} brands)")


def _box_plot(groups: Mapping[str, pd.Series], title: str) -> Figure:
    """One horizontal box per group on a logarithmic price axis."""
    figure = Figure(figsize=(8, 1.3 + 0.42 * max(1, len(groups))), layout="constrained")
    axes: Axes = figure.subplots()
    axes.boxplot(
        list(groups.values()),
        orientation="horizontal",
        tick_labels=[f"{name} (n = {len(prices):,})" for name, prices in groups.items()],
        widths=0.6,
        patch_artist=True,
        boxprops={"facecolor": "#bee3f8", "edgecolor": BLUE},
        medianprops={"color": ORANGE, "linewidth": 2},
        flierprops={"marker": ".", "markersize": 3, "markeredgecolor": GREY},
    )
    axes.set(title=title, xscale="log", xlabel="Price (US dollars, log scale)")
    label_log_prices(axes.xaxis)
    axes.invert_yaxis()
    return figure


def _label_name(kind: object) -> str:
    return str(kind).replace("_", " ")


@styled
def leaks(report: pd.DataFrame) -> Figure:
    """Held-out listings whose image, or a near duplicate of it, is also in the training set.

    Args:
        report: As returned by ``market.leaks.leak_report``.
    """
    figure = Figure(figsize=(8, 1.6 + 0.6 * max(1, len(report))), layout="constrained")
    axes: Axes = figure.subplots()
    left = np.zeros(len(report))
    for column, label, colour in (
        ("clean", "no duplicate in train", BLUE),
        ("by_bytes", "same file in train", ORANGE),
        ("by_picture", "near duplicate in train", GREY),
    ):
        axes.barh(report["split"], report[column], left=left, color=colour, label=label)
        left += report[column].to_numpy()
    leaked = report["rows"] - report["clean"]
    for split, total, count in zip(report["split"], report["rows"], leaked, strict=True):
        axes.annotate(f"{count:,} of {total:,} leaked", (total, split), (4, 0), textcoords="offset points", va="center")
    axes.set(title="Leakage: held-out listings with a duplicate in train", xlabel="Listings")
    axes.xaxis.set_major_formatter(THOUSANDS)
    axes.set_xlim(0, max(1.0, 1.3 * float(report["rows"].max() if len(report) else 1)))
    axes.invert_yaxis()
    figure.legend(loc="outside lower center", ncols=3)
    return figure


@styled
def price_trends(trends: pd.DataFrame, max_series: int = 8) -> Figure:
    """Median price by month with the quartiles as a band, one line for each site, kind and condition.

    Args:
        trends: ``tables.PriceTrends``.
        max_series: Number of series shown, those with the most prices.
    """
    figure = Figure(figsize=(8, 3.8), layout="constrained")
    axes: Axes = figure.subplots()
    overall = trends[trends["month"].isna()].nlargest(max_series, "n_prices")
    by_month = trends[trends["month"].notna()].fillna({"condition": ""})
    for series in overall.fillna({"condition": ""}).itertuples():
        same = (by_month["site"] == series.site) & (by_month["label_kind"] == series.label_kind)
        rows = by_month[same & (by_month["condition"] == series.condition)].sort_values("month")
        name = f"{series.site} {_label_name(series.label_kind)} {series.condition}".strip()
        (line,) = axes.plot(rows["month"], rows["median"], marker=".", label=f"{name} (n = {series.n_prices:,})")
        axes.fill_between(rows["month"], rows["q1"], rows["q3"], color=line.get_color(), alpha=0.15, linewidth=0)
    n_series = int(trends["month"].isna().sum())
    shown = f", the largest {len(overall)} of {n_series} series" if n_series > len(overall) else ""
    axes.set(title=f"Median price by month, with quartiles{shown}", ylabel=f"{dollars()}, log scale")
    if len(overall):
        axes.set_yscale("log")
        label_log_prices(axes.yaxis)
        figure.legend(loc="outside lower left", ncols=2)
    figure.autofmt_xdate()
    return figure


@styled
def prices_across_sites(shoes: pd.DataFrame) -> Figure:
    """Box plot of each site's and kind's price of a shoe relative to the median of that shoe's labels.

    Args:
        shoes: Rows of ``tables.Shoes``.
    """
    ratios: dict[str, list[float]] = {}
    for labels, median in zip(shoes["labels"], shoes["median"], strict=True):
        for label in json.loads(labels) if median > 0 else []:
            name = f"{label['site']}\n{_label_name(label['kind'])} {label.get('condition', '')}".strip()
            ratios.setdefault(name, []).append(label["price"] / median)
    groups = {name: pd.Series(values) for name, values in sorted(ratios.items())}
    figure = _box_plot(groups, f"Prices of the same shoe at several sites ({len(shoes):,} shoes)")
    (axes,) = figure.axes
    axes.set_xlabel("Price divided by the median of the shoe's labels (log scale)")
    axes.xaxis.set_major_formatter("{x:g}")
    return figure
