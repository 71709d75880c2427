import Adapters
import Foundation
import Models
import TensorIO
import Training

/// YAML, and the JSON of models, schedulers and runs.
extension FuzzTarget {
    static var settings: [FuzzTarget] { [yaml, override, metricLog, modelIndex] + modelConfigurations }

    private static var yaml: FuzzTarget {
        FuzzTarget(
            "yaml",
            dictionary: RunConfiguration.documentation.split { !$0.isLetter && $0 != "_" }.map(String.init) + [
                "path:", "&a", "*a", "  ", "\n", ": ",
            ],
            seeds: { _ in
                let shipped = URL(filePath: FuzzFolder.fixtures).deletingLastPathComponent().deletingLastPathComponent()
                    .appending(path: "Configs").path
                let files = try FileManager.default.contentsOfDirectory(atPath: shipped).sorted()
                return try files.filter { $0.hasSuffix(".yaml") }.map { try FuzzFolder.bytes(shipped + "/" + $0) } + [
                    Array(
                        "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
                            .utf8),
                    Array("base:\n  path: x\n  path: y\ndata: {path: z, path: z}\noutput: {folder: o}\n".utf8),
                    Array("training:\n  seed: \"\\e[2J\\e[31mred\"\n".utf8),
                    Array(
                        "data: {also: [{path: a, columns: [x=y], tasks: [t], minimum_score: 1}, b], weights: [1, 2, 3]}"
                            .utf8),
                ]
            }
        ) { bytes, _ in
            let run = try RunConfiguration.parse(String(decoding: bytes, as: UTF8.self), file: "run.yaml")
            try use(run)
        }
    }

    private static var override: FuzzTarget {
        FuzzTarget(
            "override",
            dictionary: ["training.steps=", "data.also=", "adapter.moe=", "adapter.lora.targets=", "{}", "[*.x]"],
            seeds: { _ in
                [
                    "training.steps=5", "adapter.moe={top_k: 2}", "data.also=[{path: x}]",
                    "adapter.lora.targets=[\"*.x\", /a(b|c)/]",
                ]
                .map { Array($0.utf8) }
            }
        ) { bytes, _ in
            let text = "base: {path: b}\ndata: {path: p}\noutput: {folder: o}\n"
            let run = try RunConfiguration.parse(text, overrides: [String(decoding: bytes, as: UTF8.self)])
            try use(run)
        }
    }

    private static func use(_ run: RunConfiguration) throws {
        try run.validate()
        _ = (run.panelShapes, run.loaderOptions, run.learningRateSchedule, run.trainedPanelLayout)
        _ = (run.makeOptimizer(), run.adapterConfiguration.faults, run.reading(ofDataset: 0))
        _ = try RunConfiguration.parse(run.yaml)
    }

    private static var metricLog: FuzzTarget {
        FuzzTarget(
            "metric-log",
            dictionary: ["step", "loss", "mse", "load", "seconds", "samples_per_second", "learning_rate"],
            seeds: { _ in
                [
                    #"{"step": 1, "loss": 0.5, "mse": 0.4, "learning_rate": 1e-4, "seconds": 1, "samples_per_second": 2, "load": {"a": [0.5, null]}}"#
                        + "\n",
                    #"{"step": 9223372036854775807, "loss": null, "mse": null, "learning_rate": 1, "seconds": 1, "samples_per_second": 2}"#
                        + "\n",
                ].map { Array($0.utf8) }
            }
        ) { bytes, folder in
            for step in try MetricLog.read(folder.write(bytes, "metrics.jsonl")) { _ = step.json }
        }
    }

    private static var modelIndex: FuzzTarget {
        FuzzTarget(
            "model-index", dictionary: ["_class_name", "FluxFillPipeline", "transformer", "vae", "null"],
            seeds: { folder in
                _ = try folder.make("pipeline")
                return [try FuzzFolder.fixture("tiny-random-fill/model_index.json")]
            }
        ) { bytes, folder in
            try folder.write(bytes, "pipeline/model_index.json")
            _ = try PipelineFolder(path: folder.path + "/pipeline").parts
        }
    }

    private static var modelConfigurations: [FuzzTarget] {
        func target(
            _ name: String, _ file: String, _ read: @escaping @Sendable (String) throws -> Void
        ) -> FuzzTarget {
            FuzzTarget(
                name, dictionary: ["_class_name", "architectures", "model_type", "num_layers", "1e30", "0.0"],
                seeds: { _ in [try FuzzFolder.fixture("tiny-random-fill/\(file)")] }
            ) { bytes, folder in
                try read(folder.write(bytes, "config.json"))
            }
        }
        return [
            target("flux-config", "transformer/config.json") { path in
                let configuration = try FluxConfiguration(path: path)
                _ = (configuration.blackForestKeyMappings.count, configuration.variant)
            },
            target("vae-config", "vae/config.json") { path in
                _ = try AutoencoderKLConfiguration(path: path).blackForestKeyMappings.count
            },
            target("t5-config", "text_encoder_2/config.json") { path in
                _ = try T5Configuration(path: path).llamaKeyMappings.count
            },
            target("clip-config", "text_encoder/config.json") { path in _ = try CLIPTextConfiguration(path: path) },
            target("scheduler-config", "scheduler/scheduler_config.json") { path in
                _ = try SchedulerConfiguration(path: path)
            },
        ]
    }
}
