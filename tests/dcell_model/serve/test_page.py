"""The page in a real browser, without its window: what a user does, and what they then see."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from dcell_model.predict.trained import Trained
from dcell_model.serve.view import genotype_view, primary_parents
from tests.dcell_model.conftest import NO_PLAYWRIGHT, seen
from tests.dcell_model.serve.conftest import HOSTILE_GENE, HOSTILE_TERM

sync_api = pytest.importorskip("playwright.sync_api", reason=NO_PLAYWRIGHT)
expect = sync_api.expect  # waits for what it expects
expect.set_options(timeout=20_000)
pytestmark = pytest.mark.xdist_group("browser")  # one browser, whatever the workers


@pytest.fixture(scope="module")
def context(browser: Any) -> Iterator[Any]:
    """What all tests share, so that Plotly is fetched once."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(20_000)
    yield context
    context.close()


@pytest.fixture
def page(context: Any, address: str) -> Iterator[Any]:
    """A page at 1280 × 800; the test fails on an error in its console, or a request elsewhere."""
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda said: said.type in ("error", "warning") and faults.append(said.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("dialog", lambda dialog: (faults.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.on("request", lambda sent: sent.url.startswith(address) or faults.append(sent.url))
    yield page
    page.close()
    refused = "the server responded with a status of 400"  # Chromium says so of its own accord
    assert [fault for fault in faults if refused not in fault] == []


def opened(page: Any, address: str, fragment: str = "") -> Any:
    page.goto(f"{address}/{fragment}")
    page.wait_for_selector("#plot .slice")
    return page


def colours(page: Any) -> dict[str, str]:
    """Fill of every drawn term, by its label."""
    return dict(page.eval_on_selector_all(  # type: ignore[no-any-return]
        "#plot .slice",
        "all => all.map(each => [each.querySelector('text')?.textContent ?? '',"
        " getComputedStyle(each.querySelector('path.surface')).fill])",
    ))  # fmt: skip


def shown_numbers(page: Any, row: str) -> list[float]:
    texts = page.locator(f"#prediction tr:has(th:text-is('{row}')) td").all_inner_texts()
    return [float(text.replace("−", "-")) for text in texts if text]


def add(page: Any, name: str) -> None:
    page.fill("#gene", "")
    page.locator("#gene").press_sequentially(name)
    page.keyboard.press("Enter")


def test_two_genes_and_what_they_change(page: Any, address: str, trained: Trained) -> None:
    opened(page, address)
    assert page.title() == "a model – DCell"
    expect(page.locator("#about")).to_have_text(
        "a model: 40 terms, 30 genes; predicts fitness, size"
    )
    assert set(colours(page).values()) == {"rgb(236, 238, 241)"}  # nothing is lit
    add(page, "abc5")
    page.locator("#gene").press_sequentially("BC7")  # from the list, by keyboard alone
    page.wait_for_selector("#gene-list [role=option]")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("#chips li:has-text('ABC7')")
    assert page.evaluate("location.hash") == "#genes=YAL005C,YAL007C"
    both = trained.predict(np.array([[5, 7]]))[0]
    wild = trained.predict(np.zeros((1, 0), dtype=np.int64))[0]
    numbers = shown_numbers(page, "ABC5 ABC7")
    assert numbers[::2] == pytest.approx(both.tolist(), rel=1e-3)
    assert numbers[1::2] == pytest.approx((both - wild).tolist(), rel=1e-2, abs=1e-5)
    assert shown_numbers(page, "wild type") == pytest.approx(wild.tolist(), rel=1e-3)
    alone = trained.predict(np.array([[5]]))[0]
    assert shown_numbers(page, "ABC5 alone")[::2] == pytest.approx(alone.tolist(), rel=1e-3)
    lit = colours(page)
    assert "rgb(236, 238, 241)" not in lit.values()  # only what is touched is shown
    assert len(set(lit.values())) > 3
    touched = genotype_view(trained, ["YAL005C", "YAL007C"])["terms"]
    expect(page.locator("#note")).to_contain_text(f"touch {len(touched)} terms of 40")
    page.uncheck("#only")
    expect(page).to_have_url(re.compile("all=1"))
    assert "rgb(236, 238, 241)" in colours(page).values()
    page.click("#chips li:has-text('ABC5') button")
    page.wait_for_selector("#chips li:has-text('ABC5')", state="detached")
    assert page.evaluate("location.hash") == "#genes=YAL007C&all=1"


def test_zoom_path_and_links(page: Any, address: str, trained: Trained) -> None:
    opened(page, address, "#genes=YAL005C,YAL007C")
    before = page.locator("#plot .slice").count()
    graph, primary = trained.graph, primary_parents(trained.graph)
    lit = {row["term"] for row in genotype_view(trained, ["YAL005C", "YAL007C"])["terms"]}
    inner = next(t for t in sorted(lit) if primary[t] == 0 and any(primary[c] == t for c in lit))
    label = f"process T{int(graph.term_ids[inner][3:]):03d}"
    page.locator("#plot .slice", has_text=label).first.click()
    page.wait_for_selector(f"#path [aria-current]:has-text('{label}')")
    assert page.evaluate("location.hash").endswith(f"&term={graph.term_ids[inner]}")
    assert page.locator("#plot .slice").count() < before
    page.mouse.move(1, 1)
    page.wait_for_selector("#plot .hovertext", state="detached")
    expect(page.locator("#details h3")).to_have_text(label)
    link = page.locator("#details dd a").first
    amigo = f"https://amigo.geneontology.org/amigo/term/{graph.term_ids[inner]}"
    assert link.get_attribute("href") == amigo
    chip = page.locator("#chips a").first
    assert chip.get_attribute("href") == "https://www.yeastgenome.org/locus/YAL005C"
    for each in (link, chip):
        assert each.get_attribute("rel") == "noopener noreferrer"
        assert each.get_attribute("target") == "_blank"
    page.click("#path button")
    expect(page).not_to_have_url(re.compile("term="))
    page.go_back()
    page.wait_for_selector(f"#path [aria-current]:has-text('{label}')")
    rows = genotype_view(trained, ["YAL005C", "YAL007C"])["terms"]
    page.click("#changes .more")
    expect(page.locator("#changes tbody tr")).to_have_count(len(rows))
    page.locator("#changes tbody button").last.focus()  # by keyboard, and the table stays open
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"{graph.term_ids[rows[-1]['term']]}$"))
    expect(page.locator("#changes tbody tr")).to_have_count(len(rows))
    assert page.evaluate("document.activeElement.closest('#changes') !== null")
    page.locator("#path button").first.press("Enter")
    expect(page.locator("#details :focus")).to_have_count(1)


def test_search_finds_terms_by_id_and_name(page: Any, address: str, trained: Trained) -> None:
    opened(page, address)
    ids = trained.graph.term_ids
    page.locator("#term").press_sequentially(ids[9].lower())
    page.wait_for_selector("#term-list [role=option]")
    page.keyboard.press("Enter")
    page.wait_for_selector(f"#details :text-is('{ids[9]}')")
    page.locator("#term").press_sequentially(trained.graph.term_names[11])
    page.click("#term-list [role=option]")
    page.wait_for_selector(f"#details :text-is('{ids[11]}')")
    own = trained.graph.annotations
    genes = [int(gene) for term, gene in own if term == 11]
    assert genes
    page.locator("#details .gene").nth(len(genes) - 1).wait_for()  # they come after the rest
    expect(page.locator("#details .gene")).to_have_count(len(genes))
    page.fill("#term", "no such thing")
    page.keyboard.press("Enter")
    expect(page.locator("#note")).to_have_text("No term has no such thing in its id or name.")


def test_the_address_says_what_is_shown(page: Any, address: str, trained: Trained) -> None:
    opened(page, address, "#genes=abc5,YAL005C,ABC7&term=GO:0000003")
    assert page.evaluate("location.hash") == "#genes=YAL005C,YAL007C&term=GO:0000003"
    expect(page.locator("#chips li")).to_have_count(2)
    expect(page.locator("#details")).to_contain_text("GO:0000003")
    page.evaluate("location.hash = '#genes=ABC9&term=GO:9999999'")
    page.wait_for_selector("#chips li:has-text('ABC9')")
    expect(page.locator("#note")).to_have_text("The hierarchy has no term GO:9999999.")


def test_names_that_no_gene_has(page: Any, address: str) -> None:
    opened(page, address)
    add(page, "ABC22x, OLD")
    page.wait_for_selector("#unknown li >> nth=1")
    texts = page.locator("#unknown li").all_inner_texts()
    assert texts[0].startswith("ABC22x is no name of a gene here; taken as wild type. Near: ")
    assert "name of 2 genes: YAL001C (ABC1), YAL002C (ABC2)" in texts[1]
    page.click("#unknown .near:text-is('ABC22')")
    page.wait_for_selector("#chips li:has-text('ABC22')")
    page.click("#unknown [aria-label='Remove OLD']")
    page.wait_for_selector("#unknown li", state="detached")
    names = ",".join(f"G{number}" for number in range(51))
    page.evaluate(f"location.hash = '#genes={names}'")
    page.wait_for_selector("#problem:has-text('51 genes; the page takes 50 at most')")
    page.reload()
    page.wait_for_selector("#problem:has-text('51 genes')")
    add(page, "ABC3")  # it is no dead end
    page.wait_for_selector("#chips li:has-text('ABC3')")
    page.wait_for_selector("#problem", state="hidden")


def test_hostile_names_stay_text(page: Any, address: str) -> None:
    opened(page, address, "#genes=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E,%3Cb%3Ex%3C%2Fb%3E")
    page.wait_for_selector("#chips li")
    expect(page.locator("#chips")).to_contain_text(HOSTILE_GENE)
    expect(page.locator("#unknown")).to_contain_text("<b>x</b> is no name of a gene")
    expect(page.locator("#prediction")).to_contain_text(HOSTILE_GENE)
    page.locator("#term").press_sequentially("bold")
    page.wait_for_selector("#term-list [role=option]")
    expect(page.locator("#term-list")).to_contain_text(HOSTILE_TERM)
    page.keyboard.press("Enter")
    page.wait_for_selector("#details h3:has-text('bold')")
    expect(page.locator("#details h3")).to_have_text(HOSTILE_TERM)
    drawn = page.locator("#plot .slice", has_text="<b>").first
    drawn.hover()
    page.wait_for_selector("#plot .hoverlayer text")
    assert HOSTILE_TERM in (page.text_content("#plot .hoverlayer") or "").replace("\xa0", " ")
    expect(page.locator("img, #plot a, #details b, #chips a")).to_have_count(0)


@pytest.mark.parametrize("width", [600, 1280])
def test_nothing_is_wider_than_the_window(page: Any, address: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    opened(page, address, "#genes=ABC1,ABC2,ABC3,ABC4,nobody")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.querySelector('#plot svg').clientWidth") <= width


def test_each_field_has_a_name(page: Any, address: str) -> None:
    opened(page, address, "#genes=ABC1")
    for name, role in (("Add a gene by any of its names", "combobox"),
                       ("Find a term by its id or name", "combobox"),
                       ("only what the deletions touch", "checkbox"),
                       ("Remove ABC1", "button")):  # fmt: skip
        assert page.get_by_role(role, name=name).count() == 1, name
    nameless = page.eval_on_selector_all(
        "button", "all => all.filter(b => !b.textContent.trim() && !b.ariaLabel).length"
    )
    assert nameless == 0
    assert re.fullmatch(r"rgb\(0, 114, 178\)", page.locator("#chips a").first.evaluate(
        "a => getComputedStyle(a).color"))  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_page_in_both_schemes(browser: Any, address: str, scheme: Any) -> None:
    with seen(browser, f"{address}/#genes=YAL001C,YAL002C", scheme) as page:
        expect(page.locator("#changes tbody tr").first).to_be_visible()
        assert page.evaluate("document.scrollingElement.scrollWidth") == 390
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(22, 24, 27)"}[scheme]
        plot = page.locator("#plot svg.main-svg").first
        assert plot.evaluate("svg => svg.style.background") == paper
