"""The small Llama and its tokenizer."""

from agent.language.planner import VOCABULARY
from agent.language.small_llama import small_llama, train_tokenizer

TEXTS = ["walk forward 25 meters", "turn left 90 degrees, then stop"]


def test_any_unicode_survives_the_tokenizer():
    tokenizer = train_tokenizer(TEXTS, 600)
    text = "walk 25 m \N{ROBOT FACE} \u0e01 \U0001f3c3"
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text


def test_every_goal_token_is_one_piece_and_digits_are_alone():
    tokenizer = train_tokenizer(TEXTS, 600)
    assert [tokenizer.encode(token, add_special_tokens=False) for token in VOCABULARY] == [
        [tokenizer.get_vocab()[token]] for token in VOCABULARY
    ]
    assert tokenizer.tokenize("25") == ["2", "5"]


def test_the_model_has_the_size_that_was_asked_for():
    tokenizer = train_tokenizer(TEXTS, 600)
    model = small_llama(tokenizer, hidden_size=64, num_hidden_layers=2)
    assert (model.config.vocab_size, model.config.hidden_size, model.config.num_hidden_layers) == (
        len(tokenizer),
        64,
        2,
    )
    assert model.config.num_attention_heads == 2
