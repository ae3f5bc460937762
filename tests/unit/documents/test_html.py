import pytest

from fanwise.documents.html import html_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>one <b>two</b>\n three</p><p>four", "one two three\n\nfour"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<script>x</script><style>y</style><title>t</title>z<!-- c -->", "z"),
        ("&lt;b&gt; &amp;&nbsp;&eacute;", "<b> &\u00a0é"),
        ('<a href="https://x.y/1">go</a> on', "go (https://x.y/1) on"),
        ('<a href="https://x.y/1">https://x.y/1</a>', "https://x.y/1"),
        ('<a href="mailto:a@b">a@b</a><a href="javascript:x()">j</a>', "a@bj"),
        ('<a href="https://x.y/1"><img src=s alt="Track"></a>', "Track (https://x.y/1)"),
        ("<table><tr><td>No</td><td>1Z9</td></tr><tr><th>a<td>b</table>", "No  1Z9\na  b"),
        ("<ul><li>one<li>two</ul>", "- one\n- two"),
        ("<pre>a\n  b</pre>c", "a\n  b\n\nc"),
        ('<p style="display: none">h</p><p hidden>h</p><p style="visibility:hidden">h</p>v', "v"),
        ('<div style="max-height:0;overflow:hidden">h</div><p style="opacity:0">h</p>v', "v"),
        ('<p style="max-height:0.5em;opacity:0.9">v', "v"),
        ('<div style="font-size:0px">h<span style="font-size:12px">v</span></div>', "v"),
        ('x<blockquote type="cite">q<p>r</blockquote>y', "x\n\n> q\n\n> r\n\ny"),
        ("<blockquote>own words</blockquote>", "own words"),
        ("<p>unclosed <b>and <i>crossed</b> tags</i>", "unclosed and crossed tags"),
        ("", ""),
        ("no tags at all", "no tags at all"),
    ],
)
def test_what_a_reader_would_see(html, text):
    assert html_text(html) == text


def page(size, html):
    return "<p>first</p>" + html * (size // len(html)) + "<p>last</p>"


def test_a_large_page_reads_like_a_small_one():
    row = (
        '<!-- <p>no --><tr class="r"><td><a title=t href="https://x.y/1">one</a><td>a<b></td></tr>'
    )
    small = html_text("<table>" + row * 3 + "</table>").split("\n")[0]
    large = html_text("<table>" + row * 5000 + "</table>")
    assert large.split("\n") == [small] * 5000


@pytest.mark.parametrize("size", [60_000, 400_000])
@pytest.mark.parametrize(
    "html",
    [
        "<div>",
        "<ul><li>",
        "<b class=1><p>x",
        '<a href="',
        "<",
        "<!--",
        "<blockquote type=cite>",
        "<table><tr><td>",
        "<div a1 a2='<' ",
        "</p>",
        "&",
    ],
)
def test_hostile_pages_end_soon_and_small(size, html):
    text = html_text(page(size, html))
    assert len(text) <= 12 * size
