import Adapters
import DiptychData
import Foundation
import InContextEdit
import Models
import Optimizers
import TensorCore
import TensorIO
import TestSupport
import Testing
import Training

/// Key paths of all leaves of a JSON object, in snake case.
private func leaves(_ object: Any, _ prefix: String = "") -> [String] {
    guard let sections = object as? [String: Any] else { return [prefix] }
    return sections.flatMap { leaves($0.value, prefix.isEmpty ? $0.key : prefix + "." + $0.key) }
}

@Suite struct RunConfigurationTests {
    @Test func defaultsAreTheUpstreamRecipe() throws {
        let run = try RunConfiguration.parse(requiredConfiguration)
        #expect(run == RunConfiguration(basePath: "base", dataPath: "pairs", outputFolder: "out"))
        #expect(run.adapter.moe == nil)
        #expect(run.adapter.lora?.rank == 32 && run.adapter.lora?.alpha == 32)
        #expect(run.optimizer.name == .prodigy && run.optimizer.learningRate == 1 && run.optimizer.gradientClip == 0.5)
        #expect(run.training.steps == 50_000 && run.training.accumulate == 2 && run.data.textDrop == 0.1)
    }

    @Test func everyKeyIsRead() throws {
        let text = """
            base:
              path: "a b: c"
              transformer: flux.gguf
              vae: ae.safetensors
              clip: clip_l.safetensors
              t5: ~/t5.gguf
              precision: float32
              vae_precision: bfloat16
              vae_tiling: on
              vae_tile_size: 128
              text_encoder_precision: bfloat16
            data:
              path: pairs
              panel_width: 64
              panel_height: 96
              panel_layout: auto
              max_sequence_length: 64
              prompt_form: global_captions
              text_drop: 0
              cache_latents: no
              shuffle: false
              also:
                - more
                - {path: ~/and more, columns: [source=a], tasks: [], minimum_score: null}
              weights: [1, 2, 0.5]
              columns: [instruction=edited_prompt_list, source=src_img]
              tasks: [style, remove]
              minimum_score: 7.5
              crop_bottom: [0, 32, 0]
              background: "#204060"
              allow_outside: yes
              allow_mismatch: true
              instruction: random
              mirror: 0
              crop_scale: 1
              buckets: [64x96, 96x64]
              text_padding: trimmed
              cache: ~/cache
              cache_precision: float32
              on_error: skip
              check_first: false
              workers: 0
              prefetch: 5
            adapter:
              start_from: first.safetensors
              lora: {rank: 4, alpha: 2.5, targets: ["*.proj_out", x_embedder]}
              dora: {rank: 6, alpha: 3.5, targets: ["*.attn.to_q"]}
              lokr: {rank: 7, alpha: 1.5, factor: -1, decompose_both: true, full_matrix: true, targets: ["*.attn.to_k"]}
              moe:
                rank: 8
                alpha: 16
                experts: 6
                top_k: 2
                targets: [transformer_blocks.*.ff.net.2]
                gate: softmax_after_top_k
                renormalize: true
                router_input: token_and_pooled_text
                load_balance_weight: 1e-3
                router_z_weight: 0
            optimizer:
              name: adamw
              learning_rate: 1e-4
              weight_decay: 0.02
              betas: [0.8, 0.95]
              epsilon: 1e-6
              bias_correction: false
              safeguard_warmup: false
              d0: 1e-5
              d_coef: 2
              gradient_clip: 0
            schedule: {name: cosine, warmup_steps: 5}
            objective:
              timestep_sampling: uniform
              timestep_mean: -1
              timestep_std: 2
              timestep_shift: 1.5
              weighting: cosmap
            training:
              steps: 1_000
              batch_size: 3
              accumulate: 4
              seed: 7
              guidance: 3.5
              gradient_checkpointing: false
              threads: 2
              ema_decay: 0.99
              memory: 12GiB
              stop_on_nan: false
            output:
              folder: ~/run
              log_every: 2
              checkpoint_every: 0
              checkpoint_minutes: 2.5
              keep_checkpoints: 0
              metrics: log.jsonl
            """
        let run = try RunConfiguration.parse(text)
        var expected = RunConfiguration(basePath: "a b: c", dataPath: "pairs", outputFolder: NSHomeDirectory() + "/run")
        expected.base.precision = .float32
        expected.base.vaePrecision = .bfloat16
        expected.base.vaeTiling = .on
        expected.base.vaeTileSize = 128
        expected.base.textEncoderPrecision = .bfloat16
        (expected.base.transformer, expected.base.vae) = ("flux.gguf", "ae.safetensors")
        (expected.base.clip, expected.base.t5) = ("clip_l.safetensors", NSHomeDirectory() + "/t5.gguf")
        expected.data.panelWidth = 64
        expected.data.panelHeight = 96
        expected.data.panelLayout = .auto
        expected.data.maxSequenceLength = 64
        expected.data.promptForm = .globalCaptions
        expected.data.textDrop = 0
        expected.data.cacheLatents = false
        expected.data.shuffle = false
        expected.data.also = ["more", RunConfiguration.Dataset(path: NSHomeDirectory() + "/and more")]
        expected.data.also[1].columns = ["source=a"]
        expected.data.also[1].tasks = []
        expected.data.also[1].minimumScore = .any
        expected.data.weights = [1, 2, 0.5]
        expected.data.columns = ["instruction=edited_prompt_list", "source=src_img"]
        expected.data.tasks = ["style", "remove"]
        expected.data.minimumScore = 7.5
        expected.data.cropBottom = [0, 32, 0]
        expected.data.background = ImageBackground([0x20, 0x40, 0x60])
        expected.data.allowOutside = true
        expected.data.allowMismatch = true
        expected.data.instruction = .random
        expected.data.buckets = ["64x96", "96x64"]
        expected.data.textPadding = .trimmed
        expected.data.cache = NSHomeDirectory() + "/cache"
        expected.data.cachePrecision = .float32
        expected.data.onError = .skip
        expected.data.checkFirst = false
        expected.data.workers = 0
        expected.data.prefetch = 5
        expected.adapter.startFrom = "first.safetensors"
        expected.adapter.lora?.rank = 4
        expected.adapter.lora?.alpha = 2.5
        expected.adapter.lora?.targets = ["*.proj_out", "x_embedder"]
        var dora = RunConfiguration.DoRA()
        (dora.rank, dora.alpha, dora.targets) = (6, 3.5, ["*.attn.to_q"])
        expected.adapter.dora = dora
        var lokr = RunConfiguration.LoKr()
        (lokr.rank, lokr.alpha, lokr.factor, lokr.targets) = (7, 1.5, -1, ["*.attn.to_k"])
        (lokr.decomposeBoth, lokr.fullMatrix) = (true, true)
        expected.adapter.lokr = lokr
        var moe = RunConfiguration.MoE()
        moe.rank = 8
        moe.alpha = 16
        moe.experts = 6
        moe.topK = 2
        moe.targets = ["transformer_blocks.*.ff.net.2"]
        moe.gate = .softmaxAfterTopK
        moe.renormalize = true
        moe.routerInput = .tokenAndPooledText
        moe.loadBalanceWeight = 1e-3
        moe.routerZWeight = 0
        expected.adapter.moe = moe
        expected.optimizer.name = .adamw
        expected.optimizer.learningRate = 1e-4
        expected.optimizer.weightDecay = 0.02
        expected.optimizer.betas = [0.8, 0.95]
        expected.optimizer.epsilon = 1e-6
        expected.optimizer.biasCorrection = false
        expected.optimizer.safeguardWarmup = false
        expected.optimizer.d0 = 1e-5
        expected.optimizer.dCoef = 2
        expected.optimizer.gradientClip = 0
        expected.schedule.name = .cosine
        expected.schedule.warmupSteps = 5
        expected.training.steps = 1000
        expected.training.batchSize = 3
        expected.training.accumulate = 4
        expected.training.seed = 7
        expected.training.guidance = 3.5
        expected.training.gradientCheckpointing = false
        expected.training.threads = 2
        expected.training.emaDecay = 0.99
        expected.training.memory = "12GiB"
        expected.objective.timestepSampling = .uniform
        expected.objective.timestepMean = -1
        expected.objective.timestepStd = 2
        expected.objective.timestepShift = 1.5
        expected.objective.weighting = .cosmap
        expected.training.stopOnNan = false
        expected.output.logEvery = 2
        expected.output.checkpointEvery = 0
        expected.output.checkpointMinutes = 2.5
        expected.output.keepCheckpoints = 0
        expected.output.metrics = "log.jsonl"
        #expect(run == expected)
        #expect(try RunConfiguration.parse(run.yaml) == run)

        // Every property of the value is a key, and every key a property.
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        let object = try JSONSerialization.jsonObject(with: encoder.encode(run))
        #expect(leaves(object).sorted() == RunConfiguration.keys.sorted())
        #expect(try JSONDecoder().decode(RunConfiguration.self, from: JSONEncoder().encode(run)) == run)
    }

    @Test func formerKeysAreReadWithANotice() throws {
        var notices: [String] = []
        let run = try RunConfiguration.parse(
            requiredConfiguration + "training:\n  timestep_sampling: uniform\n", file: "run.yaml",
            overrides: ["training.timestep_std=2"]
        ) { notices.append($0) }
        #expect(run.objective.timestepSampling == .uniform && run.objective.timestepStd == 2)
        #expect(notices.count == 2)
        #expect(notices[0].hasSuffix(": training.timestep_sampling is called objective.timestep_sampling now"))
        #expect(notices[0].hasPrefix("run.yaml, line "))
        #expect(notices[1] == "--set: training.timestep_std is called objective.timestep_std now")
        // What is written has the new names, and reads back without a word.
        _ = try RunConfiguration.parse(run.yaml) { Issue.record("\($0)") }
        // Both at once would leave open which counts.
        let error = #expect(throws: ConfigurationError.self) {
            _ = try RunConfiguration.parse(
                requiredConfiguration
                    + "objective: {timestep_mean: 1}\ntraining: {timestep_mean: 2}\n", file: "run.yaml")
        }
        #expect(error?.faults.map(\.key) == ["training.timestep_mean"])
    }

    @Test func kontextHasItsOwnPromptsAndLayout() throws {
        let error = #expect(throws: ConfigurationError.self) {
            _ = try RunConfiguration.parse(
                requiredConfiguration, overrides: ["base.framework=kontext", "data.panel_layout=stacked"])
        }
        #expect(error?.faults.map(\.key) == ["data.prompt_form", "data.panel_layout"])
        let run = try RunConfiguration.parse(
            requiredConfiguration, overrides: ["base.framework=kontext", "data.prompt_form=direct"])
        #expect(run.panelShapes.map(\.name) == ["512x512-reference"])
    }

    @Test func overridesWinAndAddSections() throws {
        let run = try RunConfiguration.parse(
            requiredConfiguration + "training: {steps: 5, seed: 1}\nadapter: {moe: {experts: 2}}\n",
            overrides: [
                "training.steps=100", "adapter.lora.targets=[a.*.b, \"*.c\"]", "adapter.moe={experts: 8}",
                "adapter.moe.top_k=3", "optimizer={name: adamw, learning_rate: 1e-4}", "training.ema_decay=null",
                "base.path=/with=sign",
            ])
        #expect(run.training.steps == 100 && run.training.seed == 1)
        #expect(run.adapter.lora?.targets == ["a.*.b", "*.c"])
        #expect(run.adapter.moe?.experts == 8 && run.adapter.moe?.topK == 3)
        #expect(run.optimizer.name == .adamw && run.base.path == "/with=sign")
        let plain = try RunConfiguration.parse(
            requiredConfiguration + "adapter: {moe: {}}", overrides: ["adapter.moe=null"])
        #expect(plain.adapter.moe == nil)
        let mixture = try RunConfiguration.parse(
            requiredConfiguration, overrides: ["adapter.moe={}", "adapter.lora=null"])
        #expect(mixture.adapter.moe == RunConfiguration.MoE() && mixture.adapter.lora == nil)
        #expect(try RunConfiguration.parse(mixture.yaml) == mixture)
        #expect(
            configurationFaults(requiredConfiguration, ["adapter.moe.top_k=9"]) == [
                "--set: adapter.moe.top_k: expected at most adapter.moe.experts (4), found 9"
            ])
    }

    @Test func theFixedValueIsNotFaulted() throws {
        let run = try RunConfiguration.parse("output: {folder: x}", overrides: ["base.path=b", "data.path=d"])
        #expect(run.data.path == "d")
    }

    @Test(arguments: [
        "null", "true", "12", "1e5", "a: b", "# no", "- x", "ümlaut", "two\nlines", "say \"hi\"", "a\\b", "%a", "*x",
    ])
    func textsSurviveTheCanonicalForm(text: String) throws {
        var run = RunConfiguration(basePath: text, dataPath: "d", outputFolder: "o")
        run.adapter.lora?.targets = [text, "x"]
        #expect(try RunConfiguration.parse(run.yaml) == run)
    }

    @Test func aValueMadeInCodeIsChecked() throws {
        var run = RunConfiguration(basePath: "b", dataPath: "d", outputFolder: "o")
        try run.validate()
        run.data.textDrop = .nan
        run.training.steps = 0
        let error = try #require(throws: ConfigurationError.self) { try run.validate() }
        #expect(error.faults.map(\.key) == ["data.text_drop", "training.steps"])
    }

    @Test func filesAreCheckedApart() throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "file").path
        try "x".write(toFile: file, atomically: true, encoding: .utf8)
        var run = RunConfiguration(
            basePath: folder.path, dataPath: folder.path + "/none", outputFolder: file + "/run")
        let error = try #require(throws: ConfigurationError.self) { try run.validateFiles(source: "run.yaml") }
        #expect(
            error.description.replacing(folder.path, with: "DIR") == """
                run.yaml: base.path: expected a pipeline folder with model_index.json, found a folder without it: DIR
                run.yaml: data.path: expected a dataset: a list (metadata.jsonl, .csv), shards (.tar), folders 'source' and \
                'target', or pictures NAME.source.png, found no such file or folder: DIR/none
                run.yaml: output.folder: expected a folder or a new name, found a file: DIR/file
                """)
        run.base.path = Fixtures.path("tiny-random-fill")
        (run.base.transformer, run.base.t5) = (file, folder.path + "/t5.gguf")
        func messages() -> [String] {
            do { try run.validateFiles() } catch {
                return (error as? ConfigurationError)?.faults.map(\.description) ?? []
            }
            return []
        }
        let absent = "base.t5: expected a model's file, found no such file: \(folder.path)/t5.gguf"
        #expect(messages().contains { $0.hasSuffix(absent) })
        // With all models named no pipeline is needed, but a tokenizer.
        (run.base.path, run.base.t5, run.base.vae, run.base.clip) = (folder.path, file, file, file)
        #expect(
            messages().contains { $0.contains("base.path: expected a folder with CLIP's tokenizer in 'tokenizer'") })
        run.base.path = Fixtures.path("tiny-random-fill")
        run.data.path = folder.path
        run.output.folder = folder.path + "/new/run"
        try "".write(toFile: folder.path + "/metadata.jsonl", atomically: true, encoding: .utf8)
        try run.validateFiles()
    }

    @Test func filesThatCannotBeRead() throws {
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        func message(_ name: String) -> String? {
            do { _ = try RunConfiguration.load(folder.appending(path: name).path) } catch {
                return (error as? ConfigurationError)?.faults.first?.message
            }
            return nil
        }
        #expect(message("none.yaml") == "expected a YAML file, found no such file")
        #expect(message("") == "expected a YAML file, found a folder")
        try Data([0x62, 0xFF, 0xFE]).write(to: folder.appending(path: "latin.yaml"))
        #expect(message("latin.yaml")?.hasPrefix("expected text in UTF-8, found the byte FF, 'ÿ'") == true)
        try Data(count: 1 << 21).write(to: folder.appending(path: "large.yaml"))
        #expect(message("large.yaml") == "expected a YAML file, found 2097152 bytes (at most 1048576)")
        try Data("a: \u{0}".utf8).write(to: folder.appending(path: "zero.yaml"))
        #expect(message("zero.yaml") == "expected text in UTF-8, found a zero byte, as in no text")
    }

    @Test(arguments: ["\n", "\r\n", "\r"])
    func linesMayEndInAnyWay(end: String) throws {
        let lines = [
            "base:", "  path: b", "data:", "  path: d", "  tasks:", "    - remove", "    - style", "output:",
            "  folder: o",
            "training:", "  steps: 3", "  steps: 4", "  stepz: 5",
        ]
        func yaml(_ count: Int) -> String { lines.prefix(count).map { $0 + end }.joined() }
        let folder = try Fixtures.scratchFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "run.yaml").path
        try Data(("\u{FEFF}" + yaml(11)).utf8).write(to: URL(filePath: path))
        let run = try RunConfiguration.load(path)
        #expect(run.data.tasks == ["remove", "style"] && run.training.steps == 3)
        let error = #expect(throws: ConfigurationError.self) { try RunConfiguration.parse(yaml(13), file: "r.yaml") }
        #expect(
            error?.faults.map(\.description) == [
                "r.yaml:12: training.steps: expected a key once, found it again (first on line 11)",
                "r.yaml:13: training.stepz: unknown key (did you mean 'training.steps'?)",
            ])
    }

    @Test func everyKeyIsDocumented() {
        let text = RunConfiguration.documentation
        for key in RunConfiguration.keys {
            let parts = key.split(separator: ".")
            let section = parts.dropLast().joined(separator: ".")
            let start = text.range(of: (section == "base" ? "" : "\n") + section)
            let rest = start.map { text[$0.upperBound...] } ?? ""
            #expect(rest.contains("\n  \(parts.last!): "), "\(key)")
        }
        #expect(text.contains("  steps: integer, 1 or more\n      Optimizer steps.\n      Default: 50000\n"))
        #expect(text.components(separatedBy: "Required.").count == 4)
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 120 })
    }

    static let shipped: [String] = {
        let folder = Fixtures.folder.deletingLastPathComponent().deletingLastPathComponent().appending(path: "Configs")
        let names = FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String } ?? []
        return names.filter { $0.hasSuffix(".yaml") }.map { folder.appending(path: $0).path }.sorted()
    }()

    @Test func configurationsAreShipped() { #expect(Self.shipped.count >= 3) }

    @Test(arguments: shipped) func shippedConfigurationsLoad(path: String) throws {
        let run = try RunConfiguration.load(path)
        #expect(try RunConfiguration.parse(run.yaml) == run)
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(text.hasPrefix("# "))
        #expect(text.contains("#     diptych train Configs/"), "it opens with its command")
    }

    @Test func upstreamRecipes() throws {
        let paths = Self.shipped
        let mixture = try RunConfiguration.load(#require(paths.first { $0.hasSuffix("flux-fill/moe-lora.yaml") }))
        var expected = RunConfiguration(
            basePath: mixture.base.path, dataPath: mixture.data.path, outputFolder: mixture.output.folder)
        expected.adapter.moe = RunConfiguration.MoE()
        expected.training.seed = mixture.training.seed
        #expect(mixture == expected, "the defaults are that recipe")
        let plain = try RunConfiguration.load(#require(paths.first { $0.hasSuffix("flux-fill/lora.yaml") }))
        expected.base.path = plain.base.path
        expected.data.path = plain.data.path
        expected.output.folder = plain.output.folder
        expected.training.seed = plain.training.seed
        expected.adapter.moe = nil
        #expect(plain == expected, "and without experts they are the other")
    }
}
