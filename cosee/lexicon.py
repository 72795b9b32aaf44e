"""The words of the generated mini-GLUE: what they mean to each other is what the tasks ask about."""

# --- opinions (SST-2) -------------------------------------------------------------------------------------------------
POSITIVE = (
    "good great brilliant moving funny charming clever superb delightful gripping fresh touching smart lovely witty warm "
    "honest bold stunning graceful"
).split()
NEGATIVE = (
    "bad awful dull boring clumsy tiresome weak stale bland silly shallow lazy messy tedious flat hollow dreadful bleak "
    "pointless forgettable"
).split()
NEUTRAL = "long short french recent loud quiet modern american simple strange expensive foreign".split()
ASPECTS = (
    "film movie plot acting script music ending dialogue story cast pacing humor direction opening romance finale".split()
)
INTENSIFIERS = "very really truly quite rather utterly".split()
NEGATIONS = ("not", "never", "hardly")
LIKED, DISLIKED = ("loved", "enjoyed", "admired"), ("hated", "disliked", "regretted")

# --- events: (word, synonym) or (word,); verbs are (past, base), their synonyms likewise ------------------------------
PEOPLE = [
    tuple(names.split("/"))
    for names in (
        "doctor/physician lawyer/attorney teacher/instructor student/pupil child/kid writer/author robber/thief "
        "boss/manager sailor/seaman soldier/fighter nurse banker farmer baker singer painter pilot driver judge minister "
        "mayor actor dancer cook guard"
    ).split()
]
VERBS = [
    tuple(tuple(form.split("-")) for form in verb.split("/"))
    for verb in (
        "helped-help/assisted-assist phoned-phone/called-call praised-praise/commended-commend "
        "rescued-rescue/saved-save hired-hire/employed-employ dismissed-dismiss/fired-fire "
        "scared-scare/frightened-frighten followed-follow/trailed-trail thanked-thank visited-visit invited-invite "
        "insulted-insult trusted-trust ignored-ignore warned-warn blamed-blame"
    ).split()
]
CITIES = "Paris London Berlin Rome Madrid Vienna Oslo Dublin Boston Chicago Cairo Delhi Tokyo Lima".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()

# --- what people ask about (QQP) --------------------------------------------------------------------------------------
SKILLS = (
    "chess yoga drawing swimming guitar cooking spanish german physics programming dancing skating sailing sewing latin "
    "poetry pottery boxing fencing algebra"
).split()
GOODS = (
    "bicycle laptop camera sofa tent phone printer kettle mattress helmet lamp ladder carpet mirror piano violin wallet "
    "blanket fridge heater"
).split()
GRADES = "cheap used small modern".split()
BRANDS = "android windows linux netflix spotify honda toyota samsung nokia canon adidas puma".split()

# --- kinds of things (MNLI): class -> members; the mismatched genre talks about other things --------------------------
KINDS = {
    "matched": {
        "dog": ("poodle", "beagle", "terrier"),
        "bird": ("robin", "sparrow", "owl"),
        "flower": ("rose", "tulip", "lily"),
        "vehicle": ("car", "truck", "bus"),
        "fruit": ("apple", "pear", "plum"),
        "fish": ("salmon", "trout", "shark"),
    },
    "mismatched": {
        "boat": ("ferry", "canoe", "yacht"),
        "jewel": ("ruby", "emerald", "opal"),
        "tool": ("hammer", "chisel", "drill"),
        "building": ("hotel", "castle", "school"),
        "garment": ("shirt", "coat", "scarf"),
        "drink": ("tea", "cocoa", "juice"),
    },
}
ANTONYMS = {
    "matched": [("wet", "dry"), ("big", "small"), ("young", "old"), ("clean", "dirty"), ("pale", "dark"), ("near", "far")],
    "mismatched": [("heavy", "light"), ("cheap", "costly"), ("rough", "smooth"), ("broken", "intact"), ("wide", "narrow"), ("hot", "cold")],
}

# --- who works for whom (RTE) -----------------------------------------------------------------------------------------
NAMES = (
    "Ann Bob Carl Dan Eve Fay Gus Hal Ida Jim Kim Leo Max Ned Olga Pia Ray Sue Tom Una Vic Walt Yves Zoe Ben Clara Doris "
    "Emil Fritz Greta"
).split()
