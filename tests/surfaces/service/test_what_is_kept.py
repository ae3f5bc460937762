"""Topics, cards, questions, sessions, shipments, notes, drafts: made, read, changed, deleted."""

from __future__ import annotations

import orjson

from fanwise.documents import parse_transcript
from fanwise.pipelines.notes.records import Source
from support.service import served
from surfaces.service.test_seed_hooks_and_videos import CAPTIONS, VIDEO
from surfaces.service.test_seed_tailor_and_scan import DANA, JOB, MAIL

CARD = {"id": "a", "topic": "sums", "questions": [{"question": "2 and 2?", "expected": "4"}]}


async def changed(service, path, change, **headers):
    """Status and body of a PATCH."""
    return await service.call("PATCH", path, json=change, headers=headers)


async def gone(service, path):
    """Deletes, and looks whether it is gone."""
    assert (await service.call("DELETE", path))[0] == 204
    assert (await service.call("GET", path))[0] == 404
    assert (await service.call("DELETE", path))[0] == 404


async def test_topics_and_cards_are_kept_changed_and_deleted(tmp_path):
    async with served(tmp_path) as service:
        await service.post("/api/v1/topics", {"id": "sums", "name": "Sums"})
        assert (await service.call("POST", "/api/v1/topics", json={"id": "sums"}))[0] == 409
        made = await service.post("/api/v1/cards", {"cards": [CARD, {**CARD, "id": None}]})
        assert made["cards"] == 2
        status, _ = await service.call("POST", "/api/v1/cards", json={"cards": [CARD]})
        assert status == 409
        assert (await service.call("DELETE", "/api/v1/topics/sums"))[0] == 409
        status, card = await changed(service, "/api/v1/cards/a", {"title": "Two"})
        assert (status, card["title"], len(card["questions"])) == (200, "Two", 1)
        (topic,) = (await service.get("/api/v1/topics"))["data"]
        assert topic == {"id": "sums", "name": "Sums", "cards": 2}
        for card_id in made["ids"]:
            await gone(service, f"/api/v1/cards/{card_id}")
        await gone(service, "/api/v1/topics/sums")


async def test_a_change_to_what_has_changed_since_is_refused(tmp_path):
    async with served(tmp_path) as service:
        await service.post("/api/v1/cards", {"cards": [CARD]})
        async with service.http.get(f"{service.url}/api/v1/cards/a") as answer:
            tag = answer.headers["etag"]
        seen = {"If-None-Match": tag}
        assert (await service.call("GET", "/api/v1/cards/a", headers=seen))[0] == 304
        assert (await changed(service, "/api/v1/cards/a", {"title": "1"}, **{"If-Match": tag}))[
            0
        ] == 200
        status, body = await changed(
            service, "/api/v1/cards/a", {"title": "2"}, **{"If-Match": tag}
        )
        assert (status, body["error"]["kind"]) == (412, "precondition_failed")


async def test_questions_of_a_card(tmp_path):
    async with served(tmp_path) as service:
        await service.post("/api/v1/cards", {"cards": [CARD]})
        base = "/api/v1/cards/a/questions"
        new = {"question": "Which one?", "options": ["x", "y"], "expected": "B"}
        added = await service.post(base, new)
        assert (added["question_index"], added["kind"]) == (1, "multiple_choice")
        status, found = await changed(service, f"{base}/0", {"expected": "four"})
        assert (status, found["expected"]) == (200, "four")
        status, body = await changed(service, f"{base}/1", {"expected": "Z"})
        assert (status, list(body["error"]["fields"])) == (422, ["expected"])
        assert (await service.call("GET", f"{base}/7"))[0] == 404
        assert (await service.call("DELETE", f"{base}/0"))[0] == 204
        assert (await service.call("DELETE", f"{base}/0"))[0] == 422
        assert len((await service.get(base))["data"]) == 1


async def test_cards_come_out_of_json_and_csv(tmp_path):
    async with served(tmp_path) as service:
        text = orjson.dumps({"cards": [CARD, {**CARD, "id": "b"}]}).decode()
        upload = await service.upload(text, name="cards.json")
        made = await service.post("/api/v1/cards/import", {"upload": upload})
        assert made == {"cards": 2, "questions": 2, "topics": 1}
        table = "card,topic,question,expected\nc,words,Opposite of hot?,cold\nc,words,1+1?,2\n"
        upload = await service.upload(table, name="cards.csv")
        made = await service.post("/api/v1/cards/import", {"upload": upload})
        assert (made["cards"], made["questions"]) == (1, 2)
        first = await service.get("/api/v1/cards?limit=2")
        rest = await service.get(f"/api/v1/cards?limit=2&cursor={first['next']}")
        assert [card["id"] for card in [*first["data"], *rest["data"]]] == ["a", "b", "c"]
        bad = await service.upload('{"cards": [{"questions": []}]}', name="bad.json")
        asked = {"upload": bad}
        assert (await service.call("POST", "/api/v1/cards/import", json=asked))[0] == 422


async def test_a_session_takes_cards_that_are_due_and_survives_a_restart(tmp_path):
    async with served(tmp_path) as service:
        await service.post("/api/v1/cards", {"cards": [CARD]})
        begun = await service.post("/api/v1/sessions", {"topic": "sums"})
        path = f"/api/v1/sessions/{begun['session_id']}"
        answer = {"question_index": 0, "answer": "4"}
        await service.post(f"/api/review/session/{begun['session_id']}/answers/a", answer)
        assert (await service.get("/api/v1/cards?due=true"))["data"] == []
    async with served(tmp_path) as service:
        state = await service.get(path)
        assert state["cards"][0]["questions"][0]["grade"]["is_correct"]
        assert (await changed(service, path, {"ended": True}))[1]["ended_at"] > 0
        assert len((await service.get("/api/v1/sessions"))["data"]) == 1
        missing = {"card_ids": ["nothing"]}
        assert (await service.call("POST", "/api/v1/sessions", json=missing))[0] == 404
        await gone(service, path)


async def test_shipments_are_found_added_reported_on_and_deleted(tmp_path):
    async with served(tmp_path, mail=MAIL) as service:
        await service.post("/api/front/scan")
        found = (await service.get("/api/v1/shipments?limit=500"))["data"]
        assert found
        new = {"tracking_number": "TEST0012345678", "carrier": "UPS", "po_number": "77"}
        one = await service.post("/api/v1/shipments", new)
        assert one["status"] == "pending"
        assert (await service.call("POST", "/api/v1/shipments", json=new))[0] == 409
        path = "/api/v1/shipments/TEST0012345678"
        await changed(service, path, {"status": "delivered"})
        status, late = await changed(service, path, {"status": "in_transit", "supplier": "Ada"})
        assert (status, late["status"], late["supplier"]) == (200, "delivered", "Ada")
        assert len(late["events"]) == 2
        assert (await changed(service, path, {"status": "lost"}))[0] == 422
        delivered = await service.get("/api/v1/shipments?status=delivered")
        assert [row["po_number"] for row in delivered["data"]] == ["77"]
        await gone(service, path)


async def test_notes_are_listed_read_and_written_anew_once_deleted(tmp_path):
    def fetch(video: str, *, language: str, mode: str) -> Source:
        found = parse_transcript(CAPTIONS, "vtt", source=video)
        return Source(id=video, transcript=found, title="Bread", video=video)

    async with served(tmp_path, fetch=fetch) as service:
        begun = await service.post("/api/v1/notes", {"input": {"source": VIDEO}})
        await service.until(begun["id"], "finished")
        (row,) = (await service.get("/api/v1/notes?video=dQw4w9WgXcQ"))["data"]
        assert row["status"] == "complete"
        note = await service.get(f"/api/v1/notes/{row['key']}")
        assert note["note"]["depths"][0]["sections"]
        await gone(service, f"/api/v1/notes/{row['key']}")
        asked = {"videoUrl": VIDEO, "verbosity": "standard"}
        again = await service.post("/api/videos/process", asked)
        assert not again["reused"]


async def test_drafts_are_decided_on_promoted_and_deleted(tmp_path):
    async with served(tmp_path) as service:
        made = await service.post("/api/tailor", {"resume": DANA, "jobDescription": JOB})
        path = f"/api/v1/drafts/{made['draftId']}"
        assert [row["draft"] for row in (await service.get("/api/v1/drafts"))["data"]] == [
            made["draftId"]
        ]
        draft = await service.get(path)
        place = next(
            number
            for number, change in enumerate(draft["diff"], 1)
            if change["decision"] == "accepted"
        )
        status, found = await changed(service, path, {"reject": [place]})
        assert status == 200, found
        assert found["diff"][place - 1]["decision"] == "rejected"
        status, found = await changed(service, path, {"undo": True})
        assert found["diff"][place - 1]["decision"] == "accepted"
        assert (await changed(service, path, {"reject": [999]}))[0] == 422
        status, found = await changed(service, path, {"promote": True})
        assert (status, found["status"]) == (200, "promoted")
        assert (await changed(service, path, {"reject": [place]}))[0] == 409
        await gone(service, path)
