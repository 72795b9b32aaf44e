"""The words of the generated mini-GLUE, with the relations between their meanings that its tasks are about."""

# Opinions of films (SST-2).
POSITIVE = (
    "good great brilliant moving funny charming clever superb delightful gripping fresh touching smart lovely witty "
    "warm honest bold stunning graceful"
).split()
NEGATIVE = (
    "bad awful dull boring clumsy tiresome weak stale bland silly shallow lazy messy tedious flat hollow dreadful "
    "bleak pointless forgettable"
).split()
NEUTRAL = "long short french recent loud quiet modern american simple strange expensive foreign".split()
ASPECTS = "film movie plot acting script music ending dialogue story cast pacing humor direction opening finale".split()
INTENSIFIERS = "very really truly quite rather utterly".split()
NEGATIONS = ("not", "never", "hardly")
LIKED, DISLIKED = ("loved", "enjoyed", "admired"), ("hated", "disliked", "regretted")

# News of companies (MRPC): what went up or down, as (past, base).
ROSE = [
    tuple(verb.split("/"))
    for verb in "rose/rise climbed/climb gained/gain grew/grow jumped/jump surged/surge rallied/rally".split()
]
FELL = [
    tuple(verb.split("/"))
    for verb in "fell/fall dropped/drop slipped/slip declined/decline sank/sink tumbled/tumble shrank/shrink".split()
]
FIGURES = "shares sales profits prices exports wages rents orders imports costs".split()
FIRMS = "bank airline retailer brewery insurer carmaker publisher miner grocer bakery shipyard hotel".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()

# Advice that people ask for (QQP): kinds of question, each in several forms, about raising or lowering something.
QUESTIONS = (
    ("how can i {}", "what is the best way to {}", "what can i do to {}"),
    ("why should i {}", "what is the reason to {}", "what is the point if i {}"),
    ("when should i {}", "what is the right time to {}", "how soon should i {}"),
    ("who can help me to {}", "which expert helps me to {}", "whose advice do i need to {}"),
)
RAISE = "raise increase boost lift expand strengthen".split()
LOWER = "lower reduce cut limit curb weaken".split()
AMOUNTS = (
    "rent salary weight savings speed appetite taxes workload debts pension pulse dosage budget output rating score "
    "bonus mileage stamina income"
).split()

# What happened when (RTE).
INCIDENTS = "vote strike trial flood fair summit crash merger parade storm".split()
EARLIER, LATER = ("before", "ahead of", "earlier than"), ("after", "following", "later than")

# Journeys (QNLI): a question word and the details that answer it.
PEOPLE = (
    "doctor lawyer teacher student writer robber manager sailor soldier nurse banker farmer baker singer painter pilot "
    "driver judge minister mayor actor dancer cook guard"
).split()
LEFT = "left departed returned moved travelled escaped".split()
DETAILS = {
    "where": [
        f"to {city}" for city in "Paris London Berlin Rome Madrid Vienna Oslo Dublin Boston Chicago Cairo Tokyo".split()
    ],
    "when": [f"on {day}" for day in DAYS],
    "why": [f"because of the {cause}" for cause in "rain heat war noise cold fire crowd debt dispute wedding".split()],
    "how": [f"by {means}" for means in "train bus plane taxi boat car bicycle tram".split()],
}

# Kinds of things (MNLI): class -> members, and adjectives of which exactly one holds; the mismatched genre has its own.
KINDS = {
    "matched": {
        "dog": ("poodle", "beagle", "terrier", "spaniel"),
        "bird": ("robin", "sparrow", "owl", "pigeon"),
        "flower": ("rose", "tulip", "lily", "daisy"),
        "vehicle": ("van", "truck", "tractor", "scooter"),
        "fruit": ("apple", "pear", "plum", "lemon"),
        "fish": ("salmon", "trout", "shark", "herring"),
    },
    "mismatched": {
        "boat": ("ferry", "canoe", "yacht", "kayak"),
        "jewel": ("ruby", "emerald", "opal", "pearl"),
        "tool": ("hammer", "chisel", "drill", "wrench"),
        "building": ("museum", "castle", "school", "chapel"),
        "garment": ("shirt", "coat", "scarf", "glove"),
        "drink": ("tea", "cocoa", "juice", "cider"),
    },
}
OPPOSITES = {
    "matched": [("wet", "dry"), ("clean", "dirty"), ("hidden", "visible"), ("present", "absent"), ("heavy", "light")],
    "mismatched": [
        ("broken", "intact"),
        ("real", "fake"),
        ("finished", "unfinished"),
        ("sold", "unsold"),
        ("safe", "unsafe"),
    ],
}
QUANTIFIERS = {"every": ("every", "each"), "some": ("some", "at least one"), "no": ("no", "not one")}
DENIALS = ("not", "far from", "anything but")
