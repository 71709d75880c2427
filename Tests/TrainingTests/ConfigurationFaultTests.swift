import Testing
import Training

/// What a run's configuration is refused with, and where.
@Suite struct ConfigurationFaultTests {
    @Test(arguments: [
        // Names.
        ("training: {stepz: 3}", "4: training.stepz: unknown key (did you mean 'training.steps'?)"),
        ("trainig: {steps: 3}", "4: trainig: unknown key (did you mean 'training'?)"),
        ("steps: 3", "4: steps: unknown key (did you mean 'training.steps'?)"),
        ("optimizer: {lr: 1}", "4: optimizer.lr: unknown key (did you mean 'optimizer.learning_rate'?)"),
        (
            "training: {max_grad_norm: 1}",
            "4: training.max_grad_norm: unknown key (did you mean 'optimizer.gradient_clip'?)"
        ),
        ("qwertyuiop: 3", "4: qwertyuiop: unknown key"),
        // Types.
        ("training: {steps: many}", "4: training.steps: expected integer, 1 or more, found 'many'"),
        ("training: {steps: 1.5}", "4: training.steps: expected integer, 1 or more, found '1.5'"),
        ("training: {steps: \"5\"}", "4: training.steps: expected integer, 1 or more, found '5'"),
        ("training: {steps: [1]}", "4: training.steps: expected integer, 1 or more, found ['1']"),
        ("training: {steps: {a: 1}}", "4: training.steps: expected integer, 1 or more, found a mapping"),
        ("training: {steps: }", "4: training.steps: expected integer, 1 or more, found nothing"),
        ("training: 3", "4: training: expected a mapping, found '3'"),
        ("optimizer: {epsilon: .nan}", "4: optimizer.epsilon: expected number, above 0, found '.nan'"),
        ("data: {shuffle: maybe}", "4: data.shuffle: expected true or false, found 'maybe'"),
        (
            "optimizer: {name: prodigi}",
            "4: optimizer.name: expected adamw or prodigy, found 'prodigi' (did you mean 'prodigy'?)"
        ),
        (
            "data: {panel_layout: stakced}",
            "4: data.panel_layout: expected beside, stacked or auto, found 'stakced' (did you mean 'stacked'?)"
        ),
        (
            "schedule: {name: step}", "4: schedule.name: expected constant, linear or cosine, found 'step'"
        ),
        (
            "optimizer: {betas: 0.9}",
            "4: optimizer.betas: expected list of two numbers, each 0 or more and below 1, found '0.9'"
        ),
        ("adapter: {lora: {targets: x}}", "4: adapter.lora.targets: expected list of patterns, each once, found 'x'"),
        ("adapter: {moe: true}", "4: adapter.moe: expected a mapping, found 'true'"),
        // Values.
        ("training: {steps: -3}", "4: training.steps: expected integer, 1 or more, found '-3'"),
        ("data: {text_drop: 1.5}", "4: data.text_drop: expected number, 0 to 1, found '1.5'"),
        ("data: {panel_width: 40}", "4: data.panel_width: expected integer, a multiple of 16 up to 16384, found '40'"),
        (
            "adapter: {moe: {top_k: 5}}", "4: adapter.moe.top_k: expected at most adapter.moe.experts (4), found 5"
        ),
        (
            "schedule: {warmup_steps: 50000}",
            "4: schedule.warmup_steps: expected fewer steps than training.steps (50000), found 50000"
        ),
        (
            "optimizer: {name: adamw}",
            "optimizer.learning_rate: expected at most 0.1 with adamw, such as 1e-4 (1 is usual with prodigy), found 1"
        ),
        ("adapter: {lora: null}", "4: adapter: expected at least one of lora, dora, lokr, moe, found none"),
        (
            "adapter: {lora: {targets: [a, a]}}",
            "4: adapter.lora.targets: expected list of patterns, each once, found ['a', 'a']"
        ),
        ("adapter: {lora: {targets: []}}", "4: adapter.lora.targets: expected list of patterns, each once, found []"),
        (
            "optimizer: {betas: [0.9, 0.99, 0.999]}",
            "4: optimizer.betas: expected list of two numbers, each 0 or more and below 1, found ['0.9', '0.99', '0.999']"
        ),
        (
            "training: {memory: much}",
            "4: training.memory: expected size such as 12GiB or 800MiB; or null, found 'much'"
        ),
        (
            "training: {ema_decay: 1}",
            "4: training.ema_decay: expected number, 0 or more and below 1; or null, found '1'"
        ),
    ])
    func oneFault(text: String, line: String) {
        // `output` and `base` stay; sections that the case gives itself are taken out of the requiredConfiguration ones.
        let section = String(text.prefix { $0 != ":" })
        let lines = requiredConfiguration.split(separator: "\n").map { $0.hasPrefix(section + ":") ? "" : String($0) }
        var expected = [line.first!.isNumber ? "run.yaml:" + line : "run.yaml: " + line]
        if section == "data" {
            expected.append("run.yaml: data.path: expected path, found nothing (required)")
        }
        #expect(configurationFaults(lines.joined(separator: "\n") + "\n" + text) == expected)
    }

    @Test func allFaultsAtOnce() {
        let text = """
            base:
              path: base
              precision: int8
            data:
              panel_width: 50
              path: pairs
              panel_width: 64
              extra:
                deep: 1
            training:
              steps: 10
              seed: -1
            training:
              steps: ten
            schedule:
              warmup_steps: 60000
            """
        #expect(
            configurationFaults(text, ["training.batch_size=0", "traning.seed=1", "nonsense"]) == [
                "run.yaml:3: base.precision: expected float32 or bfloat16, found 'int8'",
                "run.yaml:7: data.panel_width: expected a key once, found it again (first on line 5)",
                "run.yaml:8: data.extra: unknown key",
                "run.yaml:13: training: expected a key once, found it again (first on line 10)",
                "run.yaml:14: training.steps: expected integer, 1 or more, found 'ten'",
                "run.yaml:16: schedule.warmup_steps: expected fewer steps than training.steps (50000), found 60000",
                "run.yaml: output.folder: expected path, found nothing (required)",
                "--set: traning.seed: unknown key (did you mean 'training.seed'?)",
                "--set: expected key=value, found 'nonsense'",
                "--set: training.batch_size: expected integer, 1 to 65536, found '0'",
            ])
    }

    @Test func duplicatesInsideLists() {
        let text =
            requiredConfiguration + """
                adapter:
                  lora:
                    targets:
                    - a
                    # a comment
                    - b
                    rank: 3
                    targets: [c]
                """
        #expect(
            configurationFaults(text) == [
                "run.yaml:11: adapter.lora.targets: expected a key once, found it again (first on line 6)"
            ])
        #expect(
            configurationFaults(requiredConfiguration + "training: {steps: 1, steps: 2}") == [
                "run.yaml:4: training.steps: expected a key once, found it again (first on line 4)"
            ])
    }

    @Test(arguments: [
        ("a: [1, 2", "run.yaml:2:1: "), ("a: b: c", "run.yaml:1:5: "), ("a:\n\t- 1", "run.yaml:2:1: "),
        ("a: [*.proj_out]", "run.yaml:1:6: "), ("a: 1\n---\nb: 2", "run.yaml:2:1: "),
    ])
    func syntaxErrorsHaveAPlace(text: String, start: String) {
        let found = configurationFaults(text)
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix(start + "expected YAML, found a fault") == true, "\(found)")
    }

    @Test func patternsThatNeedQuotesAreExplained() {
        #expect(
            configurationFaults(requiredConfiguration + "adapter: {lora: {targets: [*.x]}}")[0].contains(
                "a value that begins with * needs quotes"))
        #expect(
            configurationFaults(requiredConfiguration, ["adapter.lora.targets=[*.x]"])[0].hasPrefix(
                "--set: adapter.lora.targets: expected YAML"))
    }

    @Test(arguments: ["", "# nothing\n", "[]", "text"])
    func wholeFilesThatAreNone(text: String) {
        let found = configurationFaults(text)
        if text.first == "[" || text.first == "t" {
            #expect(found == ["run.yaml:1: expected a mapping, found \(text == "[]" ? "[]" : "'text'")"])
        } else {
            #expect(found.map { $0.split(separator: ": ")[1] } == ["base.path", "data.path", "output.folder"])
        }
    }
}
