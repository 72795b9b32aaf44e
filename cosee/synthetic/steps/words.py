"""The words of mini-GLUE: every word of every task is one entry of the encoders' vocabulary.

Kinds of things have invented names, as in puzzles of logic, so that nothing is known of them but what a text says.
"""

PEOPLE = (
    "Abe Ann Ben Bob Carl Cleo Dan Dora Ed Eva Finn Flo Gus Gwen Hal Hope Ian Ivy Jack Jill Karl Kim Leo Lucy Max Mia "
    "Ned Nora Otto Pam Quin Ruth"
).split()
CREATURES = (
    "wugs daxes blickets tovs feps gazzers zups lorps mivs noffs plims quabs rindles sneeds tulvers vimps yonks zeds "
    "brufs crells dorfs frobs glims horls"
).split()
TRADES = (
    "bakers tailors sailors farmers miners weavers potters hunters bankers lawyers doctors singers painters soldiers "
    "pilots porters"
).split()

# SST-2: opinions on a film, and opinions on opinions: in the third and in the first person.
AGREE = (("backs", "back"), ("echoes", "echo"), ("seconds", "second"), ("trusts", "trust"))
DISAGREE = (("opposes", "oppose"), ("doubts", "doubt"), ("disputes", "dispute"), ("rejects", "reject"))
LIKES, DISLIKES = ("loves", "enjoys", "praises", "admires"), ("hates", "loathes", "pans", "mocks")
FILM = "it"

# RTE and MNLI: kinds of things, and what things of a kind are or have.
IS, INCLUDES = ("are",), ("include",)
ADJECTIVES = "round green heavy".split()
HAVE, LACK = "have", "lack"
PARTS = "horns tails wings".split()

# QNLI: who travels with whom, and the details that a question asks for.
JOINS, BRINGS = ("joins", "escorts", "accompanies"), ("brings", "takes")
DETAILS = {
    "where": ("visits", "Paris London Berlin Madrid Vienna Oslo".split()),
    "when": ("leaves", "Monday Tuesday Wednesday Thursday Friday Saturday".split()),
    "how": ("rides", "trains buses planes taxis boats trams".split()),
}

# QQP: who trails whom to which place.
TRAILS, LEADS = ("trails", "follows", "shadows"), ("leads", "guides")
ENTERS = ("enters", "reaches")
PLACES = "Rome Cairo Tokyo".split()

# MRPC: who serves whom, and what the master of all guards.
SERVES, COMMANDS = ("serves", "obeys", "assists"), ("commands", "directs")
GUARDS, FEEDS = ("guards", "keeps"), ("enriches",)
GOODS = "gold salt silk".split()

FRAME = "i where when how does travel who meets if visits".split()
"""What is left: words of questions."""
SEPARATORS = ",.?"

VALUES = (FILM, *ADJECTIVES, *PARTS, *DETAILS, *PLACES, *GOODS)
"""What a chain can end in, three values per task: so few that a small encoder soon learns to compare two of them."""


def all_words() -> list[str]:
    """Every word of the tasks in lower case, once, in a fixed order."""
    verbs = [form for pair in (*AGREE, *DISAGREE) for form in pair]
    details = [word for verb, things in DETAILS.values() for word in (verb, *things)]
    groups = (FRAME, PEOPLE, CREATURES, TRADES, verbs, LIKES, DISLIKES, (FILM, HAVE, LACK), IS, INCLUDES, ADJECTIVES)
    groups += (PARTS, JOINS, BRINGS, details, TRAILS, LEADS, ENTERS, PLACES, SERVES, COMMANDS, GUARDS, FEEDS, GOODS)
    return list(dict.fromkeys(word.lower() for group in groups for word in group))
