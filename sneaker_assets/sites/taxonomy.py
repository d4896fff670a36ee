"""Classification of products by what a site itself says of them: product type, category, tags and, last, title."""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from itertools import pairwise
from typing import Literal

from sneaker_assets.settings.environment import load_settings

Kind = Literal["footwear", "other"]

_FOOTWEAR = """
shoe shoes footwear sneaker sneakers trainer trainers boot boots bootie booties sandal sandals slide slides slipper
slippers loafer loafers clog clogs mule mules heel heels pump pumps stiletto stilettos espadrille espadrilles moccasin
moccasins lowtop lowtops midtop midtops hightop hightops oxford oxfords derby derbies brogue brogues cleat cleats kicks
runners flats flipflop flipflops plimsolls
chaussure chaussures baskets botte bottes bottine bottines sandale sandales mocassin mocassins escarpin escarpins
schuh schuhe schuhen stiefel stiefelette stiefeletten sandalen pantoffeln hausschuhe halbschuhe
zapato zapatos zapatilla zapatillas tenis deportivas bota botas botin botines sandalia sandalias calzado mocasines
scarpa scarpe stivale stivali stivaletti sandali calzature mocassini ciabatte sapato sapatos calcado calcados
sapatilha sapatilhas schoen schoenen laarzen sko skor skoene stovler stovlar kengat kenka buty obuwie trampki boty obuv
tenisky topanky cipo cipok pantofi ghete adidasi ayakkabi ayakkabilar bot cizme обувь кроссовки ботинки кеды туфли
сапоги взуття кросівки παπουτσια
"""
_OTHER = """
accessory accessories accessoires accesorios accessori zubehor apparel clothing clothes kleidung vetements ropa
abbigliamento roupas odziez streetwear bekleidung kledij kleding giftcard gift giftcards voucher gutschein
geschenkkarte geschenkgutschein geschenkkarten cadeau carte tarjeta regalo buono insurance protection warranty
versicherung assurance seguro shipping versand donation service services fee deposit subscription membership ticket
tickets raffle preorder cap caps hat hats beanie beanies bucket headwear mutze mutzen kappe casquette casquettes gorra
gorras gorros cappello cappelli bonnet tee tees tshirt tshirts shirt shirts hemd hemden camiseta camisetas camisa
camisas maglietta top tops hoodie hoodies hoody sweatshirt sweatshirts sweater sweaters crewneck pullover sudadera
sudaderas felpa sweat sweats jumper knitwear jacket jackets jacke jacken coat coats outerwear veste vestes chaqueta
chaquetas giacca giacche mantel parka parkas vest vests pants pant trousers jeans denim shorts short bottoms hose hosen
pantalon pantalones pantaloni jogger joggers leggings tracksuit tracksuits jersey jerseys dress dresses kleid kleider
robe robes skirt skirts underwear boxer boxers bra bras swimwear swim bikini sock socks socken chaussette chaussettes
calcetin calcetines calcetines calzini calze meias sokken sokker strumpor glove gloves handschuh handschuhe gants
guantes scarf scarves belt belts gurtel ceinture cinturon bag bags tasche taschen backpack backpacks rucksack sac sacs
bolsa bolso bolsos mochila mochilas borsa borse zaino handbag handbags purse purses tote totes duffle luggage wallet
wallets watch watches uhr uhren jewelry jewellery necklace bracelet ring rings earrings sunglasses eyewear glasses
brille perfume fragrance fragrances cosmetics makeup lipstick beauty skincare massager candle candles toy toys figure
figures figurine figurines collectible collectibles trading cards card poster posters print prints art book books
magazine magazines vinyl sticker stickers pin pins patch keychain keychains keyring mug mugs bottle bottles tumbler
towel towels blanket blankets pillow rug rugs homeware home electronics console consoles phone phones skateboard
skateboards deck decks wheels ball balls basketballs football equipment furniture food drink drinks bundle
кепка кепки футболка футболки худи куртка куртки сумка сумки носки одежда аксессуары подарочная
"""
_SHOE_CARE = """
lace laces shoelace shoelaces insole insoles cleaner cleaners cleaning care spray brush protector protectors protectant
polish kit kits tree trees horn rack racks box boxes bag bags sock socks charm charms crease shield shields keychain
keychains figure pin pins sticker stickers poster book tee tees shirt hoodie socken tasche beutel pflege reinigung
schnursenkel einlegesohlen entretien lacets semelles cordones plantillas cuidado limpieza lacci cura toy toys gift
giftcard voucher insurance protection shipping
"""
"""Words that name an accessory of shoes, or something else, even beside a word for shoes."""

_WORDS: dict[str, frozenset[str]] = {
    "footwear": frozenset(_FOOTWEAR.split()),
    "other": frozenset(_OTHER.split()),
    "care": frozenset(_SHOE_CARE.split()),
}
_FOOTWEAR_PARTS = re.compile(
    r"(?<!hand)schuhe?$|(?<!hand)schuh|(?<!hand)schoen(en)?$|sneaker|stiefel$|footwear|^187$|"
    r"^(lobe|lop|herre|dame|trenings|barne?)skor?$|鞋|靴(?!下)|シューズ|スニーカー|ブーツ|サンダル|ローファー|パンプス|신발|운동화|스니커즈|부츠|샌들|구두|حذاء|أحذية|نعال|נעל|รองเท้า|giày"
)
"""Parts of words in languages with compounds or without spaces; 187 is shoes in Google's product taxonomy."""

_OTHER_PARTS = re.compile(
    r"靴下|ソックス|帽|キャップ|シャツ|パーカー|ジャケット|バッグ|ギフト|アクセサリー|袜|衣|裤|包|礼品|配饰|양말|모자|티셔츠|가방|액세서리|"
    r"handschuh|tasche$|hose$|jacke$|mutze$|schoenveter|schnursenkel|schuhpflege|schuhcreme|schuhspanner|gutschein"
)
_TITLES = re.compile(
    r"\b(e ?gift|gift ?(card|voucher)s?|giftcards?|gutschein|geschenkkarte|carte cadeau|tarjeta (de )?regalo|"
    r"(shipping|package|delivery|order|route) (protection|insurance)|donation|warranty)\b|"
    r"\b(tee|t ?shirt|shirt|hoodie|sweatshirt|sweatpants|crewneck|jacket|cap|hat|beanie|socks|shorts|pants|backpack|"
    r"tote|bag|keychain|lipstick|shoelaces|laces|insoles|cleaner)$"
)
"""Titles of what is certainly no shoe; other words for it are common in names of shoes, such as ``Denim``."""

_LEVELS = re.compile(r"\s*(?:>|\u203a|\u00bb|/|\||::)\s*")
_NOT_WORDS = re.compile(r"[\W_]+")


def exclusion(
    types: Iterable[str | None] = (),
    *,
    tags: Iterable[str | None] = (),
    title: str | None = None,
) -> str | None:
    """Reason why a product is not a shoe according to its site; None if it is one, or if the site does not say.

    The product types decide if one of them is known. A type that is not known is not footwear unless a tag says so;
    without any type the tags decide, then the title. Types and tags that ``SNEAKER_FOOTWEAR_CATEGORIES`` lists are
    footwear.

    Args:
        types: Product type and categories, the most specific statements of the site; ``A > B`` is B within A.
        tags: Free labels of the product.
        title: Title of the product.
    """
    stated = [label for label in types if label and label.strip()]
    labels = [label for label in tags if label and label.strip()]
    if _declared().intersection(map(_plain, (*stated, *labels))):
        return None
    kinds = [kind for label in stated if (kind := classify(label))]
    if kinds:
        return None if "footwear" in kinds[:1] or "other" not in kinds else f"not footwear: {stated[0]}"
    found = {kind: label for label in labels if (kind := classify(label))}
    if found and (stated or len(found) == 1):
        return None if "footwear" in found else f"not footwear: {stated[0] if stated else found['other']}"
    if stated:
        return f"not footwear: {stated[0]}"
    return f"not footwear: {title}" if title and _TITLES.search(_plain(title)) else None


@cache
def _declared() -> frozenset[str]:
    """Types and tags that the user declares to be footwear."""
    return frozenset(_plain(label) for label in load_settings().footwear_categories)


@lru_cache(maxsize=4096)
def classify(label: str) -> Kind | None:
    """Whether a label such as ``Apparel > Shoes`` or ``T-Shirts`` names footwear or something else; None if unknown."""
    kinds = [kind for level in _LEVELS.split(label[:300]) if (kind := _classify_level(level))]
    return kinds[-1] if kinds else None


def _classify_level(level: str) -> Kind | None:
    words = _plain(level).split()
    joined = {first + second for first, second in pairwise(words)}
    found = {name: [word for word in (*words, *joined) if word in known] for name, known in _WORDS.items()}
    shoes = found["footwear"] or any(_FOOTWEAR_PARTS.search(word) for word in words)
    if any(_OTHER_PARTS.search(word) for word in words):
        return "other"
    if shoes:
        return "other" if found["care"] else "footwear"
    return "other" if found["other"] or found["care"] else None


def _plain(label: str) -> str:
    """Lower-case words without accents."""
    decomposed = unicodedata.normalize(
        "NFKD", label.casefold().replace("\u0131", "i").replace("ø", "o").replace("ł", "l")
    )
    letters = "".join(character for character in decomposed if not unicodedata.combining(character))
    return _NOT_WORDS.sub(" ", unicodedata.normalize("NFC", letters)).strip()
