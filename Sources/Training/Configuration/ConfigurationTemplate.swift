import Models
import Optimizers
import TensorCore
import Yams

/// A configuration to begin with, for one purpose: `diptych config --template NAME` writes it.
public enum ConfigurationTemplate: String, CaseIterable, Sendable {
    /// Own photographs, a base of quantised files.
    case photos
    /// ICEdit's plain LoRA.
    case lora
    /// ICEdit's LoRA-MoE.
    case loraMoE = "lora-moe"
    /// The generated world.
    case scenes

    /// What it is for, in a sentence.
    public var summary: String {
        switch self {
        case .photos: "A LoRA-MoE for pairs of your own, on a base of quantised files, within 12 GiB of memory."
        case .lora: "ICEdit's plain LoRA for FLUX.1-Fill, which every program that reads LoRA files can load."
        case .loraMoE: "ICEdit's LoRA-MoE for FLUX.1-Fill, with a router that learns."
        case .scenes:
            "A LoRA-MoE for pairs of the generated world (diptych data scenes), small enough to try things out."
        }
    }

    /// What comes before training.
    private var preparation: [String] {
        switch self {
        case .photos: ["diptych data check Datasets/mine"]
        case .lora, .loraMoE: ["diptych data check Datasets/pairs"]
        case .scenes: ["diptych data scenes --count 20000 --size 64 --level 1 -o Datasets/scenes"]
        }
    }

    /// The values.
    public var configuration: RunConfiguration {
        var run: RunConfiguration
        switch self {
        case .photos:
            run = RunConfiguration(basePath: "fill", dataPath: "Datasets/mine", outputFolder: "Runs/photos")
            run.base.transformer = "fill/flux1-fill-dev-Q4_0.gguf"
            run.base.t5 = "fill/t5xxl_fp8_e4m3fn.safetensors"
            run.base.clip = "fill/clip_l.safetensors"
            run.base.vae = "fill/ae.safetensors"
            run.base.vaePrecision = .bfloat16
            run.base.textEncoderPrecision = .bfloat16
            run.adapter.moe = RunConfiguration.MoE()
            run.training.steps = 2000
            run.training.memory = "12GiB"
            run.output.checkpointEvery = 100
        case .lora, .loraMoE:
            let folder = self == .lora ? "Runs/lora" : "Runs/lora-moe"
            run = RunConfiguration(basePath: "FLUX.1-Fill-dev", dataPath: "Datasets/pairs", outputFolder: folder)
            if self == .loraMoE { run.adapter.moe = RunConfiguration.MoE() }
        case .scenes:
            run = RunConfiguration(
                basePath: "FLUX.1-Fill-dev", dataPath: "Datasets/scenes", outputFolder: "Runs/scenes")
            run.data.panelWidth = 64
            run.data.panelHeight = 64
            run.data.maxSequenceLength = 64
            run.adapter.lora?.rank = 16
            run.adapter.lora?.alpha = 16
            run.adapter.moe = RunConfiguration.MoE()
            run.adapter.moe?.rank = 16
            run.adapter.moe?.alpha = 16
            run.optimizer.name = .adamw
            run.optimizer.learningRate = 3e-4
            run.schedule.name = .cosine
            run.schedule.warmupSteps = 100
            run.training.steps = 5000
            run.training.batchSize = 8
            run.training.accumulate = 1
            run.output.checkpointEvery = 500
        }
        return run
    }

    /// Keys that a user looks at whatever their values are.
    private static let shown: Set<String> = [
        "base.path", "base.precision", "data.path", "data.panel_width", "data.panel_height", "data.panel_layout",
        "data.text_drop", "adapter.lora.rank", "adapter.lora.alpha", "adapter.moe.rank", "adapter.moe.alpha",
        "adapter.moe.experts", "adapter.moe.top_k", "adapter.moe.gate", "optimizer.name", "optimizer.learning_rate",
        "training.steps", "training.batch_size", "training.accumulate", "training.seed", "output.folder",
        "output.checkpoint_every", "output.keep_checkpoints",
    ]

    /// The configuration as YAML in which every key of the schema stands, with what it means: those that matter here with
    /// their values, all others as comments with their defaults (`#key: value`).
    public var yaml: String {
        let run = configuration
        let defaults = RunConfiguration(basePath: "", dataPath: "", outputFolder: "")
        var lines = ["# \(summary)", "#"]
        lines += ["diptych config --template \(rawValue) -o run.yaml      # made this file; edit its paths"]
            .map { "#     " + $0 }
        lines += (preparation + ["diptych config run.yaml --files", "diptych train run.yaml"]).map { "#     " + $0 }
        lines += ["#", "# Lines such as '#key: value' are defaults: take the '#' away to change one.", ""]
        var section = ""
        for field in RunConfiguration.schema.fields {
            let isPresent = run.has(field.key)
            if field.section != section {
                lines += Self.headings(field.section, after: section, isPresent: isPresent)
                section = field.section
            }
            let indent = String(repeating: "  ", count: field.key.split(separator: ".").count - 1)
            lines += Self.wrapped("\(field.summary) (\(field.type)\(field.isRequired ? "; required" : ""))").map {
                indent + "# " + $0
            }
            let node = field.node(isPresent ? run : Self.withAllSections)
            let isLive =
                isPresent
                && (field.isRequired || Self.shown.contains(field.key) || node != field.node(defaults))
            lines.append("\(indent)\(isLive ? "" : "#")\(field.name): \(RunConfiguration.flow(node))")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// What an absent section would have.
    private static let withAllSections: RunConfiguration = {
        var run = RunConfiguration(basePath: "", dataPath: "", outputFolder: "")
        for section in RunConfiguration.schema.optionalSections { section.setPresent(true, &run) }
        return run
    }()

    /// The lines that open a section, and those around it that are not open yet.
    private static func headings(_ section: String, after last: String, isPresent: Bool) -> [String] {
        let (parts, open) = (section.split(separator: "."), last.split(separator: "."))
        var common = 0
        while common < min(parts.count, open.count), parts[common] == open[common] { common += 1 }
        var lines = common == 0 && !last.isEmpty ? [""] : []
        for depth in common..<parts.count {
            let indent = String(repeating: "  ", count: depth)
            let name = parts[...depth].joined(separator: ".")
            if let optional = RunConfiguration.schema.optionalSections.first(where: { $0.key == name }) {
                lines.append("\(indent)# \(optional.summary)")
                lines.append("\(indent)\(isPresent ? "" : "#")\(parts[depth]):")
            } else {
                lines.append("\(indent)\(parts[depth]):")
            }
        }
        return lines
    }

    /// A text in lines of at most 100 characters.
    private static func wrapped(_ text: String) -> [String] {
        var lines: [String] = []
        for word in text.split(separator: " ") {
            if let last = lines.last, last.count + word.count < 100 {
                lines[lines.count - 1] = "\(last) \(word)"
            } else {
                lines.append(String(word))
            }
        }
        return lines
    }
}
