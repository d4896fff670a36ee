"""What was scraped and what was kept of it: pictures, prices, fences, leaks."""

import itertools
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from upath import UPath

from sneaker_assets.figures.style import BLUE, GREY, ORANGE, dollars, styled
from sneaker_assets.vision.imaging.opening import open_image


@styled
def image_sample(listings: pd.DataFrame, images: Sequence[UPath], columns: int = 5) -> Figure:
    """A sample of product images, each with its price and what that price means.

    Args:
        listings: ``tables.Listings`` with prices, the sample alone.
        images: The file of each of them.
        columns: Images in a row.
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
        axes.text(0.5, -0.02, _words(shoe.label_kind), transform=axes.transAxes, ha="center", va="top", fontsize=7)
    return figure


@styled
def prices_by_first_seen(observations: pd.DataFrame) -> Figure:
    """One point a product and kind of price: its latest amount against the day on which the product was first seen.

    Args:
        observations: ``tables.Observations`` of one site.
    """
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes: Axes = figure.subplots()
    first_seen = observations.groupby("product_id")["observed_at"].transform("min")
    priced = observations.assign(first_seen=first_seen)[observations["amount"].notna() & observations["size"].isna()]
    latest = priced.sort_values("observed_at").drop_duplicates(["product_id", "label_kind"], keep="last")
    for kind, rows in latest.groupby("label_kind"):
        axes.scatter(rows["first_seen"], rows["amount"], s=10, alpha=0.5, linewidths=0, label=_words(kind))
    currencies = ", ".join(sorted(latest["currency"].dropna().unique())) or "unknown currency"
    axes.set(
        title=f"{observations['product_id'].nunique():,} products by the day they were first seen",
        xlabel="First seen (UTC)",
        ylabel=f"Latest price ({currencies})",
    )
    if len(latest):
        margin = pd.Timedelta(days=4)
        axes.set_xlim(latest["first_seen"].min() - margin, latest["first_seen"].max() + margin)
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 2, 3, 5, 7)))
        axes.yaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.yaxis.set_minor_formatter(mpl.ticker.NullFormatter())
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    figure.autofmt_xdate()
    return figure


@styled
def price_histograms(listings: pd.DataFrame, clean_listings: pd.DataFrame, fences: pd.DataFrame) -> Figure:
    """Raw prices on a linear and on a logarithmic axis with the fences drawn, and the clean ones.

    Args:
        listings: ``tables.Listings``.
        clean_listings: ``tables.CleanListings``.
        fences: ``tables.PriceFences``.
    """
    figure = Figure(figsize=(13, 3.6), layout="constrained")
    linear, logarithmic, inside = figure.subplots(1, 3)
    raw, clean = listings["price"].dropna(), clean_listings["price"]
    raw = raw[np.isfinite(raw)]
    linear.hist(raw, bins=100, color=GREY)
    linear.set(title=f"Raw: {len(raw):,} prices up to ${raw.max():,.0f}", yscale="log", xlabel=dollars())
    linear.set_ylabel("Listings, logarithmic")
    logarithmic.hist(raw, bins=np.geomspace(raw.min() / 1.01, raw.max() * 1.01, 50), color=GREY)
    logarithmic.set(
        title="Raw, on a logarithmic axis", xscale="log", xlabel=dollars() + ", logarithmic", ylabel="Listings"
    )
    for axes in (linear, logarithmic):
        _draw_fences(axes, fences)
        axes.xaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:,.0f}"))
    inside.hist(clean, bins=50, color=BLUE)
    inside.axvline(clean.median(), color=ORANGE, label=f"median ${clean.median():,.0f}")
    inside.set(title=f"Clean: {len(clean):,} prices", xlabel=dollars(), ylabel="Listings")
    inside.legend()
    return figure


def _draw_fences(axes: Axes, fences: pd.DataFrame) -> None:
    """Each upper fence as a line, dashed differently for each scope."""
    for scope, upper, line in zip(fences["scope"], fences["upper"], itertools.cycle(("--", ":", "-."))):
        whose = "" if scope == "all" else f" of {scope}"
        axes.axvline(upper, color=ORANGE, linestyle=line, label=f"fence{whose} ${upper:,.0f}")
    axes.legend()


@styled
def prices_by_label(listings: pd.DataFrame) -> Figure:
    """A box for each site and kind of label: quartiles, whiskers to 1.5 interquartile ranges, the rest as dots.

    Args:
        listings: ``tables.Listings``; those without a price are left out.
    """
    priced = listings[listings["price"].notna()]
    groups = {
        f"{site}\n{_words(kind)}": prices
        for (site, kind), prices in priced.groupby(["site", "label_kind"], observed=True)["price"]
    }
    return _boxes(groups, "Prices by site and kind of label")


@styled
def prices_by_brand(listings: pd.DataFrame, most: int = 15) -> Figure:
    """A box for each of the brands with the most listings, the dearest first.

    Args:
        listings: ``tables.CleanListings``; the listings of no known brand are one group.
        most: Brands that are shown.
    """
    brands = listings["brand"].astype(object).fillna("brand not known")
    shown = brands.value_counts().head(most).index
    groups = {str(brand): prices for brand, prices in listings["price"].groupby(brands) if brand in shown}
    dearest_first = sorted(groups.items(), key=lambda item: -float(item[1].median()))
    return _boxes(dict(dearest_first), f"Clean prices by brand, {len(groups)} of {brands.nunique()} brands")


def _boxes(groups: Mapping[str, pd.Series], title: str) -> Figure:
    """One horizontal box a group on a logarithmic axis of prices."""
    figure = Figure(figsize=(8, 1.3 + 0.42 * max(1, len(groups))), layout="constrained")
    axes: Axes = figure.subplots()
    axes.boxplot(
        list(groups.values()),
        orientation="horizontal",
        tick_labels=[f"{name} ({len(prices):,})" for name, prices in groups.items()],
        widths=0.6,
        patch_artist=True,
        boxprops={"facecolor": "#bee3f8", "edgecolor": BLUE},
        medianprops={"color": ORANGE, "linewidth": 2},
        flierprops={"marker": ".", "markersize": 3, "markeredgecolor": GREY},
    )
    axes.set(title=title, xscale="log", xlabel=dollars() + ", logarithmic")
    axes.xaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    axes.invert_yaxis()
    return figure


def _words(kind: object) -> str:
    return str(kind).replace("_", " ")


@styled
def leaks(report: pd.DataFrame) -> Figure:
    """How many rows of each held-out side show a picture that was trained on.

    Args:
        report: What ``market.leaks.leak_report`` gives.
    """
    figure = Figure(figsize=(8, 1.6 + 0.6 * max(1, len(report))), layout="constrained")
    axes: Axes = figure.subplots()
    left = np.zeros(len(report))
    parts = {"clean": ("picture not in train", BLUE), "by_bytes": ("same file in train", ORANGE)}
    for column, (label, colour) in {**parts, "by_picture": ("same picture in train", GREY)}.items():
        axes.barh(report["split"], report[column], left=left, color=colour, label=label)
        left += report[column].to_numpy()
    leaking = report["rows"] - report["clean"]
    for side, total, leak in zip(report["split"], report["rows"], leaking, strict=True):
        axes.annotate(f"{leak:,} of {total:,} leak", (total, side), (4, 0), textcoords="offset points", va="center")
    axes.set(title="Held-out rows whose picture was learned from", xlabel="Listings")
    axes.set_xlim(0, max(1.0, 1.3 * float(report["rows"].max() if len(report) else 1)))
    axes.invert_yaxis()
    figure.legend(loc="outside lower center", ncols=3)
    return figure
