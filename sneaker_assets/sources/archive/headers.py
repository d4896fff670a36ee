"""Headers under which tables keep each field, in several languages and spellings."""

import re
import unicodedata
from collections.abc import Mapping, Sequence

from sneaker_assets.sources.archive.amounts import word_currency
from sneaker_assets.tables import LabelKind

PRICE_HEADERS: Mapping[LabelKind, str] = {
    "last_sale": """
        lastsale lastsaleprice lastsold lastsoldprice soldprice soldfor pricesold hammerprice transactionprice
        orderprice letzterverkauf dernierevente
        """,
    "lowest_ask": "lowestask lowestaskprice ask askprice asking askingprice minask lowestasking",
    "highest_bid": "highestbid highestbidprice bid bidprice maxbid",
    "average_sale": """
        averagesale averagesaleprice averageprice avgsale avgsaleprice avgprice averagedeadstockprice meanprice
        meansale durchschnittspreis prixmoyen
        """,
    "list": "listprice regularprice originalprice fullprice compareatprice variantcompareatprice wasprice oldprice",
    "sale": """
        discountedprice discountprice specialprice promoprice promotionalprice reducedprice offerprice
        pricediscounted angebotspreis
        """,
    "unknown": """
        price prices amount preis prix precio prezzo preco prijs pris cena hinta fiyat цена ціна
        価格 値段 가격 价格 價格
        saleprice salesprice saleamount resaleprice resellprice marketprice marketvalue itemprice productprice
        unitprice priceamount currentprice sellprice sellingprice verkaufspreis kaufpreis prixdevente precioventa
        variantprice
        """,
}
"""Headers of prices by the kind of price they state."""

SALE_PRICES = frozenset({"saleprice", "salesprice", "saleamount", "price", "amount", "preis", "prix"})
"""Headers of prices that are sales where the table has a date of sale, and reduced prices beside a regular one."""

SALE_DATES = """
orderdate saledate salesdate solddate datesold dateofsale transactiondate purchasedate soldat soldon saletime
verkaufsdatum datedevente fechadeventa datavendita
"""
"""Headers of dates that state when a shoe was sold."""

HEADERS: Mapping[str, Sequence[str]] = {
    "retail_price": (
        """
            retail retailprice retailcost msrp rrp uvp originalretail originalretailprice releaseprice
            retailvalue
            """,
    ),
    "date": (
        SALE_DATES,
        """
            date datum fecha data day дата 日付 날짜 日期 timestamp datetime observedat observationdate observed
            pricedate listingdate listedat scrapedat scrapedate crawledat crawldate dateobserved
            """,
        "createdat created updatedat lastupdated",
    ),
    "release_date": (
        """
            releasedate released release dateofrelease releasedat releaseday launchdate launch dropdate
            erscheinungsdatum erscheinungstag veroffentlichung datedesortie fechadelanzamiento datadiuscita
            """,
    ),
    "currency": ("currency currencycode pricecurrency ccy wahrung waehrung devise moneda valuta moeda",),
    "kind": ("kind pricekind pricetype labelkind typeofprice",),
    "site": (
        "site sitename marketplace website",
        "platform source shop store retailer plattform boutique tienda negozio winkel handler haendler",
    ),
    "image": (
        """
            image imagename imagefile imagefilename imagepath picture picturefile photo photofile img foto bild
            bilddatei bildname imagen immagine afbeelding 画像
            """,
        """
            imageurl imageurls imageaddress imagelink imagesrc imguri imgurl imagehref pictureurl picturelink
            photourl photolink mainimage mainimageurl mainpicture mainpictureurl primaryimage primaryimageurl
            productimage productimageurl originalimage originalimageurl gridpictureurl bildurl urlimage images
            pictures photos
            """,
        "filename file thumbnail thumbnailurl thumb thumburl smallimage smallimageurl mediaimageurl",
    ),
    "url": ("url producturl pageurl link productlink href permalink page adresse webpage address",),
    "product_id": (
        "productid productuuid sneakerid shoeid itemid listingid articleid asin",
        "id uuid handle slug urlkey urlslug",
    ),
    "style_code": (
        "stylecode styleid stylenumber styleno",
        "style sku productsku variantsku manufacturersku mpn modelnumber modelno modelcode",
        "productcode articlenumber articleno artikelnummer reference referencenumber",
    ),
    "title": (
        "title producttitle productname sneakername shoename sneakertitle shoetitle",
        "name itemname itemtitle fullname",
        """
            sneaker shoe product item model modelname modell modele modelo modello titel titre titulo titolo nom
            nombre nome naam bezeichnung artikel название 商品名 상품명 名称
            """,
    ),
    "brand": (
        "brand brandname marke marque marca merk бренд ブランド 브랜드 品牌",
        "make manufacturer hersteller vendor",
    ),
    "colourway": (
        "colorway colourway",
        "color colour farbe couleur colore kleur colorname colourname",
    ),
    "size": (
        """
            size shoesize taille grosse groesse schuhgrosse schuhgroesse talla taglia maat tamanho storlek
            pointure サイズ 尺码
            """,
        "ussize sizeus shoesizeus usshoesize usmenssize usmensize sizeusmen",
        "eusize sizeeu shoesizeeu eushoesize grosseeu",
        "uksize sizeuk shoesizeuk ukshoesize",
    ),
    "size_system": ("sizesystem sizetype sizingsystem sizeregion sizescale sizeunit",),
    "condition": ("condition shoecondition itemcondition productcondition zustand etat estado condizione stato",),
    "category": (
        "producttype productcategory category categoryname kategorie categorie categoria warengruppe",
        "type",
    ),
    "available": ("available availability instock isavailable verfugbar verfuegbar disponible stockstatus",),
}
"""Headers of each field in groups, the best first; two columns of one group are equally good."""


def header_words(header: str) -> list[str]:
    """Words of a header in lower case, without accents; ``lowestAsk`` has two.

    Args:
        header: Header of a column.
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", header.replace("ß", "ss"))
    decomposed = unicodedata.normalize("NFKD", spaced.casefold())
    letters = "".join(character for character in decomposed if not unicodedata.combining(character))
    return re.findall(r"[^\W_]+", unicodedata.normalize("NFC", letters))


def header_names(header: str) -> set[str]:
    """Names under which a header is looked up: its words joined, without its currency, and of a path its last part.

    Args:
        header: Header of a column.
    """
    names: set[str] = set()
    for part in {header, header.rpartition(".")[2]}:
        words = header_words(part)
        bare = [word for word in words if word_currency(word) is None]
        names |= {"".join(words), "".join(bare) or "price"}
    return names - {""}
