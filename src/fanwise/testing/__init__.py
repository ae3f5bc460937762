"""Help for tests of code that uses Fanwise: scripted models, virtual time, runs that leave nothing.

    from fanwise.testing import ScriptedModel, open_test_run, run_virtual

    def test_every_hook_is_judged():
        async def main():
            model = ScriptedModel("good", service_s=2)
            async with open_test_run(model) as run:
                outcomes = await run.map(judge, hooks).collect()
            assert all(outcome.ok for outcome in outcomes)

        run_virtual(main())

With pytest, ``pytest_plugins = ["fanwise.testing.plugin"]`` in a ``conftest.py`` brings the same as
fixtures, and the marker ``virtual_time``.
"""

from fanwise.testing.models import ScriptedModel, open_test_run, prompt_of
from fanwise.testing.virtual import VirtualTimeLoop, run_virtual

__all__ = ["ScriptedModel", "VirtualTimeLoop", "open_test_run", "prompt_of", "run_virtual"]
