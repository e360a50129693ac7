import copy

import pytest

from card24_pipeline.evaluation.protocol import RevisionProtocol
from card24_pipeline.game.verdicts import Outcome, Verdict, feedback
from card24_pipeline.models.tokenizer import build_word_tokenizer

PROMPT = "cards 7 5 :"
VERDICT = Verdict(Outcome.wrong_value, "your formula is worth 35")
CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + eos_token + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SPACED = (  # as Llama 2's: a space before the end token
    "{% for message in messages %}"
    "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% else %}{{ ' ' + message['content'] + ' ' + eos_token }}{% endif %}"
    "{% endfor %}"
)
ENDLESS = CHATML.replace(" + eos_token", "")


@pytest.fixture(scope="module")
def talker():
    """A tokenizer that knows the words of the feedback and of chat templates."""
    marks = "<|im_start|>user <|im_start|>assistant [INST] [/INST]"
    return build_word_tokenizer([PROMPT, feedback(VERDICT), marks, "answer ?"], max_tokens=48)


@pytest.fixture
def make_protocol(talker):
    """Make the published protocol of a tokenizer with a chat template; return the tokenizer too."""

    def make(template):
        tokenizer = copy.deepcopy(talker)
        tokenizer.chat_template = template
        return RevisionProtocol(tokenizer, "published"), tokenizer

    return make


class TestOpening:
    @pytest.mark.parametrize("layout", ["compact", "published"])
    def test_prompt_is_asked_as_it_stands(self, tokenizer, layout):
        assert RevisionProtocol(tokenizer, layout).open(PROMPT) == tokenizer(PROMPT)["input_ids"]

    def test_no_token_is_added_that_training_does_not_show(self, tokenizer):
        from tokenizers.processors import TemplateProcessing

        starting = copy.deepcopy(tokenizer)
        end = (starting.eos_token, starting.eos_token_id)
        starting.backend_tokenizer.post_processor = TemplateProcessing(single=f"{end[0]} $A", special_tokens=[end])
        protocol = RevisionProtocol(starting, "compact")
        assert starting(PROMPT)["input_ids"][0] == end[1]
        bare = tokenizer(PROMPT)["input_ids"]
        assert protocol.open(PROMPT) == protocol.ask_again(PROMPT, VERDICT, cut=False) == bare


class TestCompact:
    def test_prompt_comes_again(self, tokenizer):
        protocol = RevisionProtocol(tokenizer, "compact")
        assert protocol.ask_again(PROMPT, VERDICT, cut=False) == protocol.open(PROMPT)

    def test_answer_that_was_cut_gets_its_end_token(self, tokenizer):
        protocol = RevisionProtocol(tokenizer, "compact")
        asked = protocol.ask_again(PROMPT, VERDICT, cut=True)
        assert asked == [tokenizer.eos_token_id, *protocol.open(PROMPT)]

    def test_a_chat_template_makes_no_difference(self, talker, make_protocol):
        _, tokenizer = make_protocol(CHATML)
        one, two = (RevisionProtocol(each, "compact") for each in (talker, tokenizer))
        assert one.ask_again(PROMPT, VERDICT, cut=False) == two.ask_again(PROMPT, VERDICT, cut=False)


class TestPublishedWithoutTemplate:
    @pytest.mark.parametrize("cut", [False, True])
    def test_feedback_follows_the_end_of_the_answer(self, talker, cut):
        asked = RevisionProtocol(talker, "published").ask_again(PROMPT, VERDICT, cut=cut)
        end = [talker.eos_token_id] * cut
        assert asked == [*end, *talker(feedback(VERDICT))["input_ids"]]
        assert talker.unk_token_id not in asked

    def test_feedback_is_a_line_of_its_own(self):
        texts = []

        class Recorder:
            chat_template = None

            def __call__(self, text, **kwargs):
                texts.append(text)
                return {"input_ids": [0]}

        RevisionProtocol(Recorder(), "published").ask_again(PROMPT, VERDICT, cut=False)
        assert texts == [f"\n{feedback(VERDICT)}\n"]


class TestPublishedWithTemplate:
    @pytest.mark.parametrize("template", [CHATML, SPACED])
    def test_conversation_reads_as_the_template_writes_it(self, make_protocol, template):
        protocol, tokenizer = make_protocol(template)
        talk = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "answer"}]
        begun = tokenizer.apply_chat_template(talk, tokenize=False).rpartition("answer")[0]
        answer = [*tokenizer(begun + "answer")["input_ids"], tokenizer.eos_token_id]
        whole = [*talk, {"role": "user", "content": feedback(VERDICT)}]
        rendered = tokenizer.apply_chat_template(whole, tokenize=False, add_generation_prompt=True)
        assert answer + protocol.ask_again(PROMPT, VERDICT, cut=False) == tokenizer(rendered)["input_ids"]

    @pytest.mark.parametrize("template", [CHATML, SPACED, ENDLESS])
    @pytest.mark.parametrize("cut", [False, True])
    def test_an_answer_ends_once(self, make_protocol, template, cut):
        protocol, tokenizer = make_protocol(template)
        end = tokenizer.eos_token_id
        answer = tokenizer("answer")["input_ids"] + [end] * (not cut)
        asked = protocol.ask_again(PROMPT, VERDICT, cut=cut)
        length = asked.index(tokenizer("You")["input_ids"][0])  # up to where the feedback begins
        assert (answer + asked[:length]).count(end) == 1

    def test_template_without_an_end_token_loses_nothing(self, make_protocol):
        protocol, tokenizer = make_protocol(ENDLESS)
        turn = f"<|im_start|>user\n{feedback(VERDICT)}\n<|im_start|>assistant\n"
        assert protocol.ask_again(PROMPT, VERDICT, cut=False) == tokenizer(turn)["input_ids"]


def test_an_unknown_layout_is_refused(tokenizer):
    with pytest.raises(ValueError, match="'prose' is not a valid PromptLayout"):
        RevisionProtocol(tokenizer, "prose")
