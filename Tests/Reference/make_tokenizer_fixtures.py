"""Writes Tests/Fixtures/tokenizers.json: strings that tokenizers get wrong, and the ids that transformers, tokenizers and
sentencepiece give for them with the tokenizers of Tests/Fixtures/tiny-random-fill and with variants of those.

    python Tests/Reference/make_tokenizer_fixtures.py

Ids are those of the text alone: no start and end tokens, not cut, not padded.
"""
import base64
import json
import random
import re
import shutil
import tempfile
import unicodedata
from pathlib import Path

import sentencepiece as spm
import sentencepiece.sentencepiece_model_pb2 as proto
from tokenizers import Tokenizer
from transformers import CLIPTokenizer, T5Tokenizer

FIXTURES = Path(__file__).resolve().parent.parent / "Fixtures"
CLIP = FIXTURES / "tiny-random-fill" / "tokenizer"
T5 = FIXTURES / "tiny-random-fill" / "tokenizer_2"

STRINGS = [
    # plain, empty, white space
    "", " ", "   ", "\t", "\n", "\r\n", " \t\r\n ", "a", " a", "a ", "  a  ", "a b", "a  b", "a   b", "a\tb", "a\nb", "a\r\nb",
    "a\n\n\nb", "\u00a0a\u00a0b\u00a0", "a\u2003b\u2009c", "a\u3000b", "a\u2028b\u2029c", "a\u0085b", "a\u000bb\u000cc",
    "a\u200bb", "\ufeffa", "a\u1680b", "a\u180eb", "\u202fa\u205fb",
    "make the sky pink", "Make The Sky PINK!", "A diptych with two side-by-side images of the same scene.",
    "  Remove   the SNOWY  tree ,  1920s style  ",
    # numbers
    "0", "7", "42", "1234567890", "3.14159", "1,000,000.00", "10^-5", "0x1F", "1st 2nd 3rd", "½ ¼ ⅔ ²³ ₄ Ⅷ ⅻ", "٣٤٥ ४५६ 一二三", "①②③ ⑴ ⒈",
    # punctuation
    ".", "...", "!!!", "?!?!", "!@#$%^&*()_+-=[]{}|;:',.<>/?`~\\\"", "a,b;c:d", "(a)[b]{c}<d>", "--- *** ___ ===", "“quotes” ‘single’ «guillemets»",
    "… — – ‐ ‑ • ·", "a/b\\c|d", "#hashtag @mention $100 50% & more", "¡hola! ¿qué?", "。、！？「」", "<<>> <| |> <|", "</s", "< / s >", "<extra_id_", "<extra_id_>", "<extra_id_100>", "▁", "▁▁", "a▁b", " ▁ ", "▁a ▁b", "a▁", "</w>", "the</w> a</w>b",
    # apostrophes
    "it's", "IT'S", "don't can't won't", "they're we've I'm she'll he'd", "'s", "''s", "'", "' s", "dogs' tails", "rock 'n' roll", "it’s", "'sun 'reed 'veto 'lll 'dd 'tt", "x'S'T'RE'VE'M'LL'D", "!'s ?'t", "o'clock's'", "'ſ",
    # Latin beyond ASCII, composed and decomposed
    "naïve café", "nai\u0308ve cafe\u0301", "ÀÉÎÕÜ àéîõü", "A\u0300E\u0301I\u0302", "ß ẞ straße STRASSE", "İstanbul ISPARTA ıi", "ŒUVRE œuvre Æ æ", "Ǆ ǅ ǆ", "\u212b \u2126 \u212a", "ﬁ ﬂ ﬀ ﬃ ﬆ", "ŉ ĳ Ŀ ŀ", "e\u0301\u0302\u0303", "\u0301", "\u0301a", "a \u0301", "q\u0307\u0323", "\U00010041\u0301 \U0001f441\u0308", "\u0f73\u0301\u0f73 \u0344", "q\u0323\u0307", "s\u0323\u0307 ṩ", "\u1e9b\u0323", "a\u0315\u0300\u05ae\u0062", "Ω Σ ΟΔΟΣ Σίσυφος ς", "Привет, Мир! ЁЖ Ё", "Ѐ Й и\u0306",
    # full-width and compatibility forms
    "ＡＢＣ ａｂｃ １２３", "ﾊﾝｶｸ ｶﾞ ﾊﾟ", "㍿ ㌔ ㎏ ㏂", "™ ® © ℃ № ℡", "𝐇𝐞𝐥𝐥𝐨 𝓦𝓸𝓻𝓵𝓭 𝟙𝟚𝟛", "ⓐⓑⓒ Ⓐ", "～ 〜 ￥ ￦ ￠", "ａ\u3099", "か\u3099 が は\u309a ぱ",
    # CJK, Hangul, other scripts
    "日本語", "日本 的 狐狸", "中文字符測試，。", "한국어 테스트", "\u1112\u1161\u11ab\u1100\u1173\u11af", "각 \u1100\u1161\u11a8", "ไทยภาษา น้ำ", "हिन्दी क्षत्रिय कि", "বাংলা தமிழ் తెలుగు", "ᚠᚢᚦ ⴰⴱ ꙮ", "豈 更 \uf900", "\u2f800 你", "𠀀𠀁 𪜀",
    # right to left
    "שלום עולם", "שָׁלוֹם", "مرحبا بالعالم", "الْعَرَبِيَّة ﷺ ﷲ", "a\u200fb\u200ec \u202eabc\u202c", "\ufefb \ufe8e",
    # emoji
    "😀", "😀😃😄", "a😀b", "👍🏽", "👨‍👩‍👧‍👦", "🏳️‍🌈 🏴‍☠️", "🇩🇪🇫🇷🇯🇵", "1️⃣ #️⃣", "❤️ ❤ ☺️", "🧑🏿‍🚀 in space", "\ufe0f", "\u200d", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    # control, private, unassigned, non-characters
    "a\x00b", "\x00", "\x01\x02\x03", "a\x1bb\x7fc", "\x1c\x1d\x1e\x1f", "a\u0080b\u009fc", "a\u00adb", "\ue000\uf8ff", "\U000f0000", "\ufffd \ufffc", "\uffff\U0010ffff", "\u0378 \u2fe0", "a\u2060b\u2061c", "\ufff9a\ufffab\ufffb",
    # very long
    "a" * 300, "ab" * 200, "supercalifragilisticexpialidocious" * 4, "the " * 100, "日" * 120, "é" * 90, "!" * 200, "9" * 150, "x\u0301" * 60, "x" + "\u0301" * 60, "the" * 60, "🙂" * 40,
    # special tokens in the text
    "<|startoftext|>", "<|endoftext|>", "a<|endoftext|>b", "a <|endoftext|> b <|startoftext|>", "<|ENDOFTEXT|>", "!<|StartOfText|>!", "<|STARTOFTEXT|>!!", "<|endoftext|><|endoftext|>", "<|endoftext|", "<|endoftext|>'s", "  <|endoftext|>  x",
    "</s>", "a</s>b", "<pad>", "<unk>", "a <pad> b <unk> c </s> d", "<s>", "<extra_id_0>", "<extra_id_99>", "a <extra_id_0> b <extra_id_1>", "a<extra_id_42>b", "<extra_id_7><extra_id_8>", "  <extra_id_3>  x", "<EXTRA_ID_0>", "<extra_id_0> <extra_id_00>", "x</s> </s>y", "<<extra_id_5>>", "日<unk>本", "😀<unk>😀 <unk>",
]
# Bytes that no piece covers, and pieces of types that the fixture's model has none of.
SHORT = ["", "  the  scene ", "a\tb", "日本 x", "the side<x>the", "keep THIS  word", "side scene the same", "é😀", "<x>", "<0x41>", "▁the▁", "a\x00b", "thethe scene", "zzz </s> <pad>"]


def clip_folder(folder, configuration):
    folder.mkdir()
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(CLIP / name, folder)
    (folder / "tokenizer_config.json").write_text(json.dumps(configuration))
    return CLIPTokenizer.from_pretrained(folder)


def clip(scratch):
    """The fixture, the configuration of openai/clip-vit-large-patch14, that of FLUX.1, that of Stable Diffusion 2."""
    def old(content):
        return {"__type": "AddedToken", "content": content, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}

    def new(content, normalized):
        return {"content": content, "lstrip": False, "normalized": normalized, "rstrip": False, "single_word": False, "special": True}
    bos, eos = "<|startoftext|>", "<|endoftext|>"
    flux = {"1092": new(bos, True), "1093": new(eos, False)}
    roles = {"bos_token": bos, "eos_token": eos, "unk_token": eos, "pad_token": eos}
    configurations = {
        "fixture": json.loads((CLIP / "tokenizer_config.json").read_text()),
        "openai": {"bos_token": old(bos), "eos_token": old(eos), "unk_token": old(eos), "pad_token": eos, "model_max_length": 77, "do_lower_case": True},
        "flux": {"added_tokens_decoder": flux, **roles, "model_max_length": 77},
        "sd2": {"added_tokens_decoder": {"0": new("!", False), **flux}, **roles, "pad_token": "!", "model_max_length": 77},
        "added": {"added_tokens_decoder": {"1092": new(bos, False), "1093": new(eos, False), "1094": new("<extra_id_0>", False), "2000": new("Café", True)}, **roles},
        "bare": {},
    }
    cases = []
    for name, configuration in configurations.items():
        tokenizer = clip_folder(scratch / name, configuration)
        cases.append({"name": name, "config": configuration, "pad": tokenizer.pad_token_id,
                      "ids": [tokenizer(s, add_special_tokens=False).input_ids for s in STRINGS]})
    return cases


def bytes_model():
    """A vocabulary of bytes and a few words, as the model of a tokenizer.json."""
    vocab = [["<pad>", 0], ["</s>", 0], ["<unk>", 0]] + [[f"<0x{b:02X}>", 0] for b in range(256)]
    vocab += [[p, -2.0 - 0.25 * i] for i, p in enumerate(["▁", "▁the", "▁scene", "▁side", "e", "a", "s", "▁a", "th", "ne", "the"])]
    return {"type": "Unigram", "unk_id": 2, "vocab": vocab, "byte_fallback": True}


def t5_json(charsmap):
    """The fixture's tokenizer.json with parts replaced: the layouts that published T5 files have."""
    base = json.loads((T5 / "tokenizer.json").read_text())
    precompiled = {"type": "Precompiled", "precompiled_charsmap": "$charsmap"}
    both_sides = [{**t, "lstrip": t["content"].startswith("<extra"), "rstrip": t["content"].startswith("<extra")} for t in base["added_tokens"][:5]]
    words = [{"id": 801, "content": "side", "single_word": True, "lstrip": True, "rstrip": False, "normalized": True, "special": False},
             {"id": 802, "content": "Ａ", "single_word": False, "lstrip": False, "rstrip": True, "normalized": True, "special": False}]
    metaspace = {"type": "Metaspace", "replacement": "▁"}
    cases = [
        {"name": "fixture", "parts": {}},
        {"name": "t5-v1_1", "parts": {"normalizer": precompiled, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, {**metaspace, "add_prefix_space": True}]}}},
        {"name": "converted", "parts": {"added_tokens": both_sides, "normalizer": {"type": "Sequence", "normalizers": [precompiled, {"type": "Strip", "strip_left": False, "strip_right": True}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}]}, "pre_tokenizer": {**metaspace, "prepend_scheme": "always", "split": True}}},
        {"name": "first", "parts": {"added_tokens": base["added_tokens"][:5] + words, "normalizer": precompiled, "pre_tokenizer": {**metaspace, "prepend_scheme": "first", "split": True}}},
        {"name": "never, unsplit", "parts": {"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}, {"type": "Replace", "pattern": {"String": "the"}, "content": "a"}, {"type": "Prepend", "prepend": "▁"}]}, "pre_tokenizer": {**metaspace, "prepend_scheme": "never", "split": False}}},
        {"name": "no parts", "parts": {"normalizer": None, "pre_tokenizer": None}},
        {"name": "byte fallback", "parts": {"model": bytes_model()}},
    ]
    for case in cases:
        text = json.dumps({**base, **case["parts"], "padding": None, "truncation": None}).replace("$charsmap", charsmap)
        tokenizer = Tokenizer.from_str(text)
        case["ids"] = [tokenizer.encode(s, add_special_tokens=False).ids for s in STRINGS]
    return cases


def with_tokens(model, tokens):
    """sentencepiece between the added tokens, as transformers' slow tokenizer drives it."""
    pattern = re.compile("(" + "|".join(re.escape(t) for t in sorted(tokens, key=len, reverse=True)) + ")")
    return lambda s: [i for part in pattern.split(s) for i in ([tokens[part]] if part in tokens else model.encode(part))]


def spm_variants():
    """Small models with what the fixture's has not: byte pieces, user-defined and unused ones, other normalizer flags."""
    source = proto.ModelProto(); source.ParseFromString((T5 / "spiece.model").read_bytes())
    cases = []
    for name in ("bytes", "types", "spaces", "suffix"):
        m = proto.ModelProto(); m.CopyFrom(source)
        m.ClearField("pieces"); m.pieces.extend(source.pieces[:220])
        m.normalizer_spec.precompiled_charsmap = b""; m.normalizer_spec.name = "identity"
        m.trainer_spec.ClearField("input")
        if name == "bytes":
            m.trainer_spec.byte_fallback = True
            for b in range(256):
                m.pieces.add(piece=f"<0x{b:02X}>", score=0, type=6)
        if name == "types":
            m.pieces.add(piece="<x>", score=0, type=4); m.pieces.add(piece="keep THIS  word", score=0, type=4)
            for p in m.pieces:
                if p.piece in ("▁the", "▁same"):
                    p.type = 5
        if name == "spaces":
            m.normalizer_spec.add_dummy_prefix = False; m.normalizer_spec.remove_extra_whitespaces = False
        if name == "suffix":
            m.trainer_spec.treat_whitespace_as_suffix = True
        blob = m.SerializeToString()
        model = spm.SentencePieceProcessor(model_proto=blob)
        n = model.get_piece_size()
        tokens = {"<pad>": 0, "</s>": 1, "<unk>": 2, **{f"<extra_id_{i}>": n + 99 - i for i in range(100)}}
        encode = with_tokens(model, tokens)
        cases.append({"name": name, "model": base64.b64encode(blob).decode(), "ids": [encode(s) for s in SHORT]})
    return cases


def nfc(rng):
    """Random marks, composed characters and parts of syllables with their form C, as lists of code points."""
    known = [c for c in range(0x30000) if unicodedata.category(chr(c)) not in ("Cn", "Cs")]
    marks = [c for c in known if unicodedata.combining(chr(c))]
    whole = [c for c in known if unicodedata.decomposition(chr(c)) and "<" not in unicodedata.decomposition(chr(c))]
    jamo = [*range(0x1100, 0x1113), *range(0x1161, 0x1176), *range(0x11A8, 0x11C3), 0xAC00, 0xAC01, 0xD7A3]
    letters = [ord(c) for c in "aeiouAEIOUsqxn "]
    pools = [marks, marks, whole, jamo, letters, known]
    texts = ["".join(chr(rng.choice(rng.choice(pools))) for _ in range(rng.randint(1, 8))) for _ in range(400)]
    return [[[ord(c) for c in t], [ord(c) for c in unicodedata.normalize("NFC", t)]] for t in texts]


def main():
    m = proto.ModelProto(); blob = (T5 / "spiece.model").read_bytes(); m.ParseFromString(blob)
    charsmap = m.normalizer_spec.precompiled_charsmap
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        clip_cases = clip(scratch)
        (scratch / "t5").mkdir(); shutil.copy(T5 / "spiece.model", scratch / "t5")
        extra = T5Tokenizer.from_pretrained(scratch / "t5").convert_tokens_to_ids([f"<extra_id_{i}>" for i in range(100)])
    model = spm.SentencePieceProcessor(model_file=str(T5 / "spiece.model"))
    encode = with_tokens(model, {"<pad>": 0, "</s>": 1, "<unk>": 2, **{f"<extra_id_{i}>": id for i, id in enumerate(extra)}})
    out = {"strings": STRINGS, "clip": clip_cases, "charsmap": {"offset": blob.index(charsmap), "length": len(charsmap)},
           "t5": t5_json(base64.b64encode(charsmap).decode()), "sentencepiece": [encode(s) for s in STRINGS],
           "short": SHORT, "nfc": nfc(random.Random(0)), "sentencepieceVariants": spm_variants()}
    text = json.dumps(out, separators=(",", ":")).replace('],[', '],\n[').replace('{"name"', '\n{"name"')
    (FIXTURES / "tokenizers.json").write_text(text + "\n")
    print(len(STRINGS), "strings,", len(text), "bytes")


if __name__ == "__main__":
    main()
