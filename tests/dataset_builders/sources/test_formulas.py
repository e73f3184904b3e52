"""Formulas of XML articles as text."""

import pytest
from lxml import etree

from dataset_builders.sources.formulas import FORMULA, formula_text
from dataset_builders.sources.markup import inline_text

MATHML = "http://www.w3.org/1998/Math/MathML"


def math(inside):
    return etree.fromstring(f'<math xmlns="{MATHML}">{inside}</math>')


@pytest.mark.parametrize(
    ("mathml", "text"),
    [
        ("<mfrac><mn>1</mn><mn>2</mn></mfrac>", "1/2"),
        ("<mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mn>2</mn></mfrac>", "(a + b)/2"),
        ("<mn>3</mn><mo>×</mo><msup><mn>10</mn><mrow><mo>−</mo><mn>4</mn></mrow></msup>", "3×10^(−4)"),
        ("<msqrt><mn>16</mn></msqrt>", "√16"),
        ("<msqrt><mi>a</mi><mo>+</mo><mi>b</mi></msqrt>", "√(a + b)"),
        ("<mroot><mi>x</mi><mn>3</mn></mroot>", "x^(1/3)"),
        ("<msub><mi>v</mi><mi>max</mi></msub>", "v_max"),
        ("<msubsup><mi>x</mi><mn>1</mn><mn>2</mn></msubsup>", "x_1^2"),
        ("<mi>p</mi><mo>&lt;</mo><mn>0.05</mn>", "p < 0.05"),
        ("<mover><mi>x</mi><mo>¯</mo></mover>", "x\u0304"),
        ("<mfenced><mi>a</mi><mi>b</mi></mfenced>", "(a,b)"),
        ("<semantics><mn>7</mn><annotation>seven</annotation></semantics>", "7"),
        ("<mtable><mtr><mtd><mn>1</mn></mtd><mtd><mn>2</mn></mtd></mtr><mtr><mtd><mn>3</mn></mtd></mtr></mtable>", "1, 2; 3"),
        ("<mfrac/>", ""),
    ],
)
def test_mathml_is_written_on_one_line(mathml, text):
    assert formula_text(math(mathml)) == text


@pytest.mark.parametrize(
    ("tex", "text"),
    [
        (r"\documentclass{minimal}\begin{document}$$42.5^{\circ}$$\end{document}", r"$42.5^{\circ}$"),
        (r"\(x\)", "$x$"),
        ("$a < b$", "$a < b$"),
        ("", ""),
    ],
)
def test_tex_stands_between_dollars_without_the_document_around_it(tex, text):
    element = etree.Element("tex-math")
    element.text = tex
    assert formula_text(element) == text


def test_of_alternatives_one_is_written_and_an_image_alone_leaves_a_sign():
    both = etree.fromstring(f'<alternatives><tex-math>x^2</tex-math><math xmlns="{MATHML}"><mn>4</mn></math></alternatives>')
    assert formula_text(both) == "4"
    assert formula_text(etree.fromstring("<alternatives><inline-graphic/></alternatives>")) == FORMULA
    paragraph = etree.fromstring("<p>Was <inline-formula><inline-graphic/></inline-formula> mm.</p>")
    assert inline_text(paragraph) == "Was [formula] mm."
