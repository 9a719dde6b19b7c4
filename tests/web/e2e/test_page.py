"""The page in a real browser: every view, by mouse and by keyboard, its sources, and that it asks nobody else."""

from __future__ import annotations

import json
import re
import urllib.parse
import urllib.request
from typing import Any

import pytest
from browsing import ROOT, Watched

pytestmark = pytest.mark.slow  # minutes in a browser: `make e2e`

VIEWS = {
    "overview": "/",
    "pathway": "/pathway?drugs=trastuzumab:clinical&switches=pten-loss:1&on=akt",
    "pathway_both": "/pathway?drugs=trastuzumab:clinical&compare=1&drugs_b=lapatinib:clinical",
    "trial": "/trial/cleopatra",
    "trial_edit": "/trial/egf104900?edit=form",
    "scoreboard": "/scoreboard",
    "patient": "/patient",
    "evidence": "/evidence?q=PTEN",
    "conflicts": "/evidence/conflicts?about=cleopatra",
    "meta_analysis": "/evidence/forest",
    "trace": "/evidence/trace?id=pten_loss",
    "entry": "/evidence/entry/mechanism/pten_loss",
}
PARTS = {
    **{
        f"trial_{part}": f"/trial/cleopatra?part={part}"
        for part in ("response", "patients", "subgroups", "uncertainty", "events", "baseline", "files")
    },
    "scoreboard_large": "/scoreboard?plot=rate&class=antibody&line=first_line",
    "patient_on_map": "/pathway?switches=pten-loss:1,er-positive:1&colour=change",
}
"""Further states of the views, in which the keyboard has nothing of its own."""
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]

NUMBERS_WITHOUT_SOURCE = """() => {
  const number = /(^|[\\s(\\[±+−<>=:])\\d[\\d.,\\u2009]*\\s?(%|$|[\\s)\\];:,])/;
  const out = [];
  const walk = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode, parent = node.parentElement;
    if (!number.test(node.data) || parent.closest('option, textarea, [data-source]')) continue;
    out.push(node.data.trim().slice(0, 80) + ' in ' + parent.tagName);
  }
  return out;
}"""
SOURCES = (
    """() => [...new Set([...document.querySelectorAll('main [data-source]')].map(e => e.dataset.source))]"""
)
REACHABLE = """() => {
  const all = [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex]')];
  const seen = all.filter(e => e.tabIndex >= 0 && !e.disabled && e.checkVisibility({visibilityProperty: true})
    && !(e.tagName !== 'SUMMARY' && e.closest('details:not([open])')));
  seen.forEach((e, i) => e.setAttribute('data-walk', i));
  return seen.length;
}"""
FOCUSED = """() => {
  const e = document.activeElement;
  if (!e || e === document.body) return null;
  const s = getComputedStyle(e);
  const box = e.querySelector && e.querySelector('rect');
  const ring = s.outlineStyle !== 'none' || (box && e.matches('.map-box') && parseFloat(getComputedStyle(box).strokeWidth) >= 2);
  return {id: e.getAttribute('data-walk'), ring, text: (e.getAttribute('aria-label') || e.textContent || e.tagName).slice(0, 50)};
}"""


@pytest.mark.parametrize("name", VIEWS)
def test_every_view_asks_only_its_own_host_and_says_research_use(watched: Watched, name: str) -> None:
    page = watched.open(VIEWS[name])
    hosts = {
        urllib.parse.urlsplit(u).netloc for u in watched.requests if not u.startswith(("data:", "blob:"))
    }
    assert hosts == {urllib.parse.urlsplit(watched.base).netloc}
    assert page.get_by_text("For research, not for treating patients").first.is_visible()
    # a board without a shipped validation is answered by 404, which the console reports and the view explains
    expected = "404" if name == "scoreboard" else "nothing"
    assert [p for p in watched.problems if expected not in p] == []


def check_numbers(scripted: Watched) -> None:
    """Every number of a page has a source of a known kind; entries of the record that numbers name can be traced."""
    page = scripted.page
    assert page.evaluate(NUMBERS_WITHOUT_SOURCE) == []
    sources = page.evaluate(SOURCES)
    assert sources
    kinds = re.compile(r"run:[0-9a-f]{8,}|record:[^\s].*|place:.+|count:[\w:]+|user|text")
    assert [s for s in sources if not kinds.fullmatch(s)] == []
    named = [s.removeprefix("record:") for s in sources if s.startswith("record:")]
    for key in named[:12]:
        query = urllib.parse.urlencode({"id": key, "depth": 1, "limit": 5})
        with urllib.request.urlopen(f"{scripted.base}/api/evidence/trace?{query}") as answer:
            assert json.load(answer)["found"], key


def check_axe(page: Any) -> None:
    """axe-core finds nothing against WCAG 2.2 AA."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed; `npm ci` in web/ installs it")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("rules => axe.run(document, {runOnly: {type: 'tag', values: rules}})", RULES)
    said = [
        f"{v['id']}: {v['help']}: {[n['html'][:150] for n in v['nodes'][:3]]}" for v in found["violations"]
    ]
    assert said == []
    assert len(found["passes"]) > 10


@pytest.mark.parametrize("name", [*VIEWS, *PARTS])
def test_every_number_carries_a_source_of_a_known_kind(scripted: Watched, name: str) -> None:
    scripted.open((VIEWS | PARTS)[name])
    check_numbers(scripted)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", [*VIEWS, *PARTS])
def test_axe_finds_nothing(scripted: Watched, name: str, scheme: Any) -> None:
    scripted.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    check_axe(scripted.open((VIEWS | PARTS)[name]))


@pytest.mark.parametrize("name", VIEWS)
def test_the_keyboard_reaches_everything_and_shows_where_it_is(scripted: Watched, name: str) -> None:
    page = scripted.open(VIEWS[name])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent").strip() == "Go to the content"
    n = page.evaluate(REACHABLE)
    reached, without_ring = set(), []
    # regions that scroll are stops of their own in some browsers, so more presses than elements
    for _ in range(2 * n + 10):
        if len(reached) == n:
            break
        at = page.evaluate(FOCUSED)
        if at and at["id"] is not None:
            reached.add(int(at["id"]))
            if not at["ring"]:
                without_ring.append(at["text"])
        page.keyboard.press("Tab")
    missed = [page.evaluate(f"document.querySelector('[data-walk=\"{i}\"]').outerHTML.slice(0, 120)")
              for i in sorted(set(range(n)) - reached)[:5]]  # fmt: skip
    assert missed == []
    assert without_ring == []


@pytest.mark.parametrize("name", [*VIEWS, *PARTS])
def test_narrow_windows_never_scroll_sideways(scripted: Watched, name: str) -> None:
    scripted.page.set_viewport_size({"width": 360, "height": 780})
    page = scripted.open((VIEWS | PARTS)[name])
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("name", VIEWS)
def test_on_paper_there_are_no_controls_nothing_is_cut_and_all_is_dark_on_white(
    scripted: Watched, name: str
) -> None:
    scripted.page.set_viewport_size({"width": 718, "height": 1000})  # A4 within its margins, CSS pixels
    scripted.page.emulate_media(media="print", color_scheme="dark")
    page = scripted.open(VIEWS[name])
    assert page.evaluate("document.documentElement.scrollWidth") <= 722
    assert not page.locator("nav[aria-label='Views']").is_visible()
    assert page.evaluate(
        "[...document.querySelectorAll('.no-print, .tabs, .segments')].filter(e => e.checkVisibility()).length"
    ) == 0  # fmt: skip
    assert page.get_by_text("For research, not for treating patients").first.is_visible()
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    # relative luminance of every text at most that of a mid grey
    pale = page.evaluate("""() => [...document.querySelectorAll('main p, main td, main th, main h1, main h2, main h3')]
      .filter(e => e.checkVisibility() && e.textContent.trim())
      .map(e => [getComputedStyle(e).color.match(/[\\d.]+/g).map(Number), e.textContent.slice(0, 40)])
      .filter(([c]) => 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2] > 128)""")
    assert pale == []
    assert len(page.pdf(format="A4")) > 5_000


def test_the_first_screen_shows_cleopatra_and_the_map(watched: Watched) -> None:
    page = watched.open("/")
    assert page.locator("svg[data-chart='km-pfs'] path").count() > 4
    assert page.get_by_role("rowheader", name="placebo + trastuzumab + docetaxel", exact=True).is_visible()
    assert page.locator("svg[data-chart='map'] .map-box").count() > 50
    # a printed figure leads to the line of the review that prints it
    page.locator("td.pub .num").first.click()
    drawer = page.get_by_label("Where this number comes from")
    assert "review_b" in drawer.inner_text()
    page.keyboard.press("Escape")
    assert drawer.count() == 0


def test_the_first_chart_needs_nothing_but_the_page(watched: Watched) -> None:
    watched.page.route("**/api/**", lambda route: route.abort())
    watched.page.goto(watched.base + "/")
    watched.page.get_by_role("rowheader", name="placebo + trastuzumab + docetaxel", exact=True).wait_for()
    assert watched.page.locator("svg[data-chart='km-pfs'] path").count() > 4


def test_the_pointer_brings_value_unit_claim_and_line(watched: Watched) -> None:
    page = watched.open("/pathway?drugs=trastuzumab:clinical&compare=1&drugs_b=lapatinib:clinical")
    card = page.locator("[data-card='akt']")
    page.locator("section[aria-label='Condition A'] [data-id='akt']").hover()
    card.get_by_text(re.compile(r"review_[ab] lines? \d+")).first.wait_for()
    text = card.inner_text()
    assert re.search(r"A\s+0\.\d\d of 1, untreated 0\.\d\d", text) and re.search(r"B\s+0\.\d\d of 1", text)
    # it stays while the pointer is on it, and Escape takes it away
    card.hover()
    page.wait_for_timeout(600)
    assert card.is_visible()
    page.keyboard.press("Escape")
    card.wait_for(state="detached")


def test_two_conditions_are_compared_where_they_differ(watched: Watched) -> None:
    page = watched.open("/pathway?drugs=trastuzumab:clinical&compare=1&drugs_b=lapatinib:clinical")
    table = page.get_by_label("Where the conditions differ")
    row = table.get_by_role("row", name=re.compile("^Antibody bound"))
    cells = row.locator("td").all_inner_texts()
    assert float(cells[2]) > 0.1 and float(cells[3]) == 0.0, "an antibody binds, a kinase inhibitor does not"
    row.get_by_role("button").click()
    chosen = page.get_by_label("Chosen on the map")
    assert chosen.locator("dt").all_inner_texts()[:2] == ["A", "B"]


def test_a_patient_is_shown_on_the_map(watched: Watched) -> None:
    page = watched.open("/pathway?drugs=lapatinib:clinical")
    # the list of cases comes after the map
    page.locator("option[value='case:1_progression_on_trastuzumab']").wait_for(state="attached")
    page.get_by_label("Cell or patient").select_option("case:1_progression_on_trastuzumab")
    page.wait_for_url("**switches=pten-loss:1**")
    assert "lapatinib" in page.url
    page.get_by_text(re.compile("set: PTEN lost")).wait_for()
    page.goto(watched.base + "/patient?edit=yaml")
    page.get_by_label("Case file").fill("her2: positive\nbiomarkers: {pik3ca: mutated}\n")
    page.get_by_role("button", name="This tumour on the map").click()
    page.wait_for_url("**/pathway?switches=pik3ca-mutation:1")


def test_a_slider_changes_the_map_and_the_address_holds_it(watched: Watched) -> None:
    page = watched.open("/pathway?drugs=lapatinib:clinical")
    akt = page.locator("[data-id='akt']")
    before = akt.get_attribute("aria-label")
    slider = page.get_by_role("slider", name="Lapatinib", exact=False)
    slider.focus()
    page.keyboard.press("Home")
    page.wait_for_url("**drugs=lapatinib:0**")
    watched.settle()
    for _ in range(600):
        if akt.get_attribute("aria-label") != before:
            break
        page.wait_for_timeout(100)
    untreated = akt.get_attribute("aria-label")
    assert untreated != before
    page.reload()
    watched.settle()
    assert page.locator("[data-id='akt']").get_attribute("aria-label") == untreated


def test_the_map_is_walked_by_arrow_keys_and_tells_its_claims(watched: Watched) -> None:
    page = watched.open("/pathway?drugs=trastuzumab:clinical&on=pten_activity")
    chosen = page.get_by_label("Chosen on the map")
    assert "PTEN activity" in chosen.inner_text()
    chosen.get_by_role("heading", name="Claims").wait_for()
    place = chosen.locator(".claims button[data-source^='place:']").first
    place.wait_for()
    assert re.search(r"review_[ab] lines? \d+", place.inner_text())
    page.locator("[data-id='pten_activity']").focus()
    page.keyboard.press("ArrowUp")
    page.wait_for_url(lambda u: "on=pten_activity" not in u)
    assert chosen.get_by_role("heading").first.inner_text() != "PTEN activity"


def test_adaptation_is_played_back_by_the_scrubber(watched: Watched) -> None:
    page = watched.open("/pathway?drugs=lapatinib:clinical&where=tumour")
    scrubber = page.get_by_role("slider", name="Day of adaptation")
    for _ in range(2400):
        if scrubber.is_enabled():
            break
        page.wait_for_timeout(100)
    adapted = page.locator("[data-id='receptor:her3']").get_attribute("aria-label")
    scrubber.focus()
    page.keyboard.press("Home")
    assert page.get_by_text("acute").first.is_visible()
    assert page.locator("[data-id='receptor:her3']").get_attribute("aria-label") != adapted


SO_FAR = """
window.soFar = [];
new MutationObserver(() => {
  const now = document.querySelector("section[aria-label='So far'] h2")?.textContent;
  const drawn = document.querySelectorAll("section[aria-label='So far'] svg[data-chart='km-pfs'] path").length;
  if (now && drawn > 4 && window.soFar.at(-1) !== now) window.soFar.push(now);
}).observe(document, {childList: true, subtree: true, characterData: true});
"""


def test_a_trial_is_edited_run_reloaded_and_read_to_its_files(watched: Watched) -> None:
    watched.page.add_init_script(SO_FAR)
    page = watched.open("/trial/cleopatra?edit=form")
    page.get_by_label("Size").fill("120")
    page.get_by_label("Size").blur()
    page.get_by_text("edited", exact=True).wait_for()
    page.get_by_label("PIK3CA mutation, %").fill("100")
    page.get_by_label("PIK3CA mutation, %").blur()
    page.get_by_role("tab", name="YAML").click()
    text = page.get_by_label("Trial file").input_value()
    assert "size: 120" in text
    assert 'pik3ca_mutant: {value: 1, unit: "1", quality: assumed, source: own_trial' in text
    assert "# the record with the published figures" in text
    page.get_by_label("Virtual patients").fill("1200")
    page.get_by_label("Trials drawn").fill("20")
    page.get_by_text("The file can be run.").wait_for()
    page.get_by_role("button", name="Run the trial").click()
    page.wait_for_url("**job=**")
    page.reload()
    page.get_by_role("tab", name="Survival").wait_for()
    # curves drew themselves as patients were done, in the page that was opened in the middle
    seen = [int(re.sub(r"\D", "", t.split(" of ")[0])) for t in page.evaluate("window.soFar")]
    assert seen and seen == sorted(seen) and seen[-1] <= 1200
    page.locator("svg[data-chart='km-pfs']").wait_for()
    page.get_by_role("tab", name="Baseline").click()
    mutated = page.get_by_role("row", name=re.compile("pik3ca", re.I)).locator("td").all_inner_texts()
    assert mutated[1:3] == ["100.0 %", "100.0 %"]
    page.get_by_role("tab", name="Subgroups").click()
    page.locator("svg[data-chart='forest']").first.wait_for()
    page.get_by_role("tab", name="Response").click()
    assert page.locator("svg[data-chart='waterfall']").count() == 2
    page.get_by_role("tab", name="Patients").click()
    assert page.locator("svg[data-chart='swimmer']").count() == 2
    assert page.locator("svg[data-chart='spider']").count() == 2
    page.get_by_role("tab", name="YAML").click()
    assert "size: 120" in page.get_by_label("Trial file").input_value()
    page.get_by_role("tab", name="Survival").click()
    figure = page.locator("figure", has=page.locator("svg[data-chart='km-pfs']"))
    assert saved(page, figure.get_by_role("button", name="SVG")).startswith(b"<svg")
    assert saved(page, figure.get_by_role("button", name="PNG")).startswith(b"\x89PNG\r\n")
    page.get_by_role("tab", name="Files").click()
    table = saved(page, page.get_by_role("button", name="Predicted beside published, CSV")).decode()
    assert table.startswith("arm,statistic,predicted,low_90") and len(table.splitlines()) > 6
    groups = page.locator("main h3")
    groups.get_by_text("ADaM-shaped tables").wait_for()
    assert {"Pictures", "ADaM-shaped tables", "Run record", "Everything in one archive"} <= set(
        groups.all_inner_texts()
    )
    adam = saved(page, page.get_by_role("link", name="ADTTE.csv")).decode()
    assert {"USUBJID", "PARAMCD", "AVAL", "CNSR"} <= set(adam.splitlines()[0].split(","))
    assert watched.problems == []


def saved(page: Any, control: Any) -> bytes:
    """What a control hands to the browser as a file."""
    with page.expect_download() as download:
        control.click()
    path = download.value.path()
    content: bytes = path.read_bytes()
    return content


def test_a_wrong_trial_file_is_refused_with_its_field(watched: Watched) -> None:
    page = watched.open("/trial/cleopatra?edit=yaml")
    box = page.get_by_label("Trial file")
    box.fill(box.input_value().replace("agent: pertuzumab", "agent: pertuzumap"))
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert "pertuzumap" in alert.inner_text()
    assert "pertuzumab" in alert.inner_text().replace("pertuzumap", "")
    assert page.get_by_role("button", name="Run the trial").is_disabled()


def test_a_job_is_cancelled_and_resumed(watched: Watched) -> None:
    page = watched.open("/trial/cleopatra")
    page.get_by_label("Virtual patients").fill("20000")
    page.get_by_label("Trials drawn").fill("0")
    page.get_by_role("button", name="Run the trial").click()
    page.wait_for_url("**job=**")
    progress = page.get_by_label("Progress", exact=True)
    progress.get_by_role("button", name="Cancel").click()
    progress.get_by_role("button", name="Resume").wait_for()
    page.reload()
    progress.get_by_role("button", name="Resume").click()
    progress.get_by_role("button", name="Cancel").wait_for()
    progress.get_by_role("button", name="Cancel").click()
    progress.get_by_role("button", name="Resume").wait_for()


@pytest.mark.parametrize("asked", ["Explain this patient", "Compare sequences"])
def test_a_patient_s_job_shows_its_progress_is_cancelled_resumed_and_deleted(
    watched: Watched, asked: str
) -> None:
    page = watched.open("/patient")
    page.get_by_label("Age, years").fill("61")
    page.get_by_label("Age, years").blur()
    page.get_by_role("button", name=asked).click()
    page.wait_for_url("**job=**")
    progress = page.get_by_label("Progress", exact=True)
    progress.get_by_text(re.compile("running: (compiling|twins)")).wait_for()
    page.reload()
    progress.get_by_role("button", name="Cancel").click()
    progress.get_by_role("button", name="Resume").wait_for()
    page.reload()
    progress.get_by_role("button", name="Resume").click()
    answered = page.get_by_role("tab", name="Escape routes").or_(page.get_by_label("Sequences compared"))
    answered.wait_for()
    job = re.search(r"job=([0-9a-f]{24})", page.url)
    assert job is not None
    assert page.request.get(f"{watched.base}/api/jobs/{job[1]}/result").status == 200
    page.get_by_role("button", name="Delete this answer from the server").click()
    page.wait_for_url(lambda u: "job=" not in u)
    assert page.request.get(f"{watched.base}/api/jobs/{job[1]}").status == 404
    assert watched.problems == []


def test_a_patient_is_explained_with_a_source_for_every_number(scripted: Watched) -> None:
    page = scripted.open("/patient")
    page.get_by_label("Age, years").fill("61")
    page.get_by_role("button", name="Explain this patient").click()
    page.wait_for_url("**job=**")
    page.get_by_role("tab", name="Escape routes").wait_for()
    assert page.locator(".icons i").count() == 100
    assert page.locator("svg[data-chart='km-pfs'] path").count() > 4
    for name in page.get_by_label("Parts of the answer").get_by_role("tab").all_inner_texts():
        page.get_by_role("tab", name=name, exact=True).click()
        check_numbers(scripted)
        check_axe(page)
    page.get_by_role("tab", name="Escape routes").click()
    assert page.get_by_role("link", name="what it rests on").count() > 3
    page.get_by_role("tab", name="In words").click()
    page.locator("main [role=tabpanel] a.chip").first.click()
    page.wait_for_url("**/evidence/trace?id=**")


def test_a_claim_is_traced_to_its_source(watched: Watched) -> None:
    page = watched.open("/evidence?q=PTEN&kind=claim")
    page.locator("article.result h3 a").first.click()
    page.wait_for_url("**/evidence/entry/claim/**")
    page.get_by_role("link", name="See the trace graph").click()
    page.wait_for_url("**/evidence/trace?**")
    graph = page.locator("svg[data-chart='trace']")
    graph.wait_for()
    source = graph.get_by_role("link", name=re.compile(r"\(source: ")).first
    source.click()
    page.get_by_label("Supports").get_by_text("Claim").first.wait_for()


def test_the_scoreboard_puts_misses_first_and_leads_to_trial_and_line(scripted: Watched) -> None:
    def figure(value: float, predicted: float, low: float, high: float, role: str) -> dict[str, Any]:
        return {
            "endpoint": "pfs", "statistic": "median", "arm": "docetaxel+trastuzumab", "unit": "month", "predicted": predicted,
            "low50": predicted - 1, "high50": predicted + 1, "low80": low + 0.5, "high80": high - 0.5, "low90": low, "high90": high,
            "published": value, "inside90": low <= value <= high, "role": role, "source": "review_b lines 651",
            "null_model": predicted,
        }  # fmt: skip

    # invented figures: what the board does with them is tested, not the model
    board = {
        "trials": [
            {"id": "cleopatra", "title": "A", "role": "fit", "size": 100, "failed_patients": 0, "digest": "ab" * 8,
             "endpoints": [figure(10.0, 10.5, 8.0, 13.0, "fit"), figure(20.0, 10.0, 8.0, 12.0, "context")]},
            {"id": "emilia", "title": "B", "role": "fit", "size": 100, "failed_patients": 0, "digest": "cd" * 8,
             "endpoints": [figure(9.0, 9.5, 7.0, 12.0, "fit")]},
        ],
        "not_run": [], "misses": [], "scores": {}, "held_out": False, "settings": {}, "version": "0.1.0",
        "posterior_digest": "ef" * 8, "digest": "12" * 8, "notice": "",
    }  # fmt: skip
    scripted.page.route("**/api/validation*", lambda route: route.fulfill(json=board))
    page = scripted.open("/scoreboard")
    table = page.get_by_label("Figures, misses first")
    rows = table.locator("tbody tr")
    assert rows.count() == 3
    assert "20.0" in rows.first.inner_text()
    assert page.evaluate(NUMBERS_WITHOUT_SOURCE) == []
    dot = page.locator("svg[data-chart='agreement'] [role=button][aria-label*='outside']")
    assert dot.get_attribute("data-source") == "place:review_b lines 651"
    dot.click()
    leads = page.locator("section[aria-label^='Predicted against'] [role=status]")
    assert leads.get_by_role("link", name="Go to the trial").get_attribute("href") == "/trial/cleopatra"
    leads.get_by_role("button", name="review_b lines 651").click()
    assert "review_b lines 651" in page.get_by_label("Where this number comes from").inner_text()
    page.keyboard.press("Escape")
    page.get_by_label("Class tested").select_option("antibody_drug_conjugate")
    assert rows.count() == 1 and "9.0" in rows.first.inner_text()
    page.get_by_label("Class tested").select_option("")
    page.get_by_label("Line").select_option("first_line")
    assert rows.count() == 2
    page.get_by_label("Line").select_option("")
    calibration = page.locator("svg[data-chart='calibration']").get_attribute("aria-label")
    assert "fitted: 100 % inside the 50 % interval" in calibration
    assert "not used: 0 % inside the 50 % interval" in calibration
    page.get_by_label("Role").select_option("fit")
    assert rows.count() == 2
    assert "role=fit" in page.url
    check_axe(page)


def test_the_scoreboard_says_what_it_hides(scripted: Watched) -> None:
    page = scripted.open("/scoreboard?all=1")
    board = page.request.get(f"{scripted.base}/api/validation")
    if board.status == 404:
        pytest.skip("no validation ships with this installation")
    hidden = board.json()["hidden"]
    short = page.get_by_label("In short").inner_text()
    assert (f"{hidden} held-out figures are not shown" in short) == (hidden > 0)
    rows = page.get_by_label("Figures, misses first").locator("tbody tr")
    missed = rows.evaluate_all("rows => rows.map(r => r.classList.contains('out'))")
    assert any(missed)
    assert missed == sorted(missed, reverse=True)
    names = rows.evaluate_all("rows => rows.map(r => r.querySelector('td').textContent)")
    assert not any("held out" in name for name in names)


def test_no_dot_of_the_scoreboard_covers_another_and_arrow_keys_reach_each(scripted: Watched) -> None:
    page = scripted.open("/scoreboard")
    if page.locator("svg[data-chart='agreement']").count() == 0:
        pytest.skip("no validation ships with this installation")
    covered = page.evaluate("""() => [...document.querySelectorAll("svg[data-chart='agreement']")].map(svg => {
      const at = [...svg.querySelectorAll('.dot > circle:last-child')].map(c => [c.cx.baseVal.value, c.cy.baseVal.value]);
      const near = at.filter(([x, y], i) => at.some(([u, v], j) => j !== i && Math.hypot(x - u, y - v) < 9));
      return [at.length, near.length];
    })""")
    assert sum(n for n, _ in covered) > 20
    assert [near for _, near in covered] == [0] * len(covered)
    rates = page.get_by_label("Predicted against published rate")
    dots = rates.locator(".dot")
    rates.locator(".dot[tabindex='0']").focus()
    said = set()
    for _ in range(dots.count() + 1):
        said.add(page.evaluate("document.activeElement.dataset.dot"))
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(40)
    assert len(said) == dots.count()
