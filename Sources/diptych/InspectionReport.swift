import Adapters
import TensorCore
import TensorIO

/// What `diptych inspect` finds: lines for people, JSON for programs. A key that does not apply is absent;
/// `Documentation/JSON.md` lists them all.
struct InspectionReport: Encodable {
    /// What a file or folder is, told from its content.
    enum Kind: String, Encodable {
        case image, dataset, pipeline, checkpoint, adapter, safetensors, gguf, tensors
    }

    /// As the user named it.
    var path: String
    var kind: Kind
    /// The file that is described where `path` only leads to it: a run's latest checkpoint, a folder's model.
    var file: String?
    /// The version of the file's format.
    var version: Int?
    var image: Size?
    var dataset: Dataset?
    var pipeline: Pipeline?
    var checkpoint: Checkpoint?
    var adapter: Adapter?
    var models: [Model]?
    /// The flags of what a pipeline needs besides the models.
    var missing: [String]?
    /// The header's texts.
    var metadata: [String: String]?
    /// The header's keys in the order of the lines.
    var metadataKeys: [String] = []
    var tensors: Tensors?

    struct Size: Encodable {
        var width: Int
        var height: Int
    }

    struct Dataset: Encodable {
        var pairs: Int
        /// How many pairs have each task; those without one are not counted.
        var tasks: [String: Int]
    }

    struct Pipeline: Encodable {
        /// The class of diffusers.
        var pipelineClass: String
        var parts: [Part]

        struct Part: Encodable {
            var name: String
            var isThere: Bool
            /// The class that the index claims.
            var partClass: String?
            var tensors: Count?
            /// The proportions in words.
            var proportions: String?
        }
    }

    struct Checkpoint: Encodable {
        var step: Int
        var epoch: Int
        var position: Int
        var pairs: Int
        var seconds: Double
        var hasAverage: Bool
        var baseParameters: Int
        var routing: [RoutingStatistics]
        /// The run's configuration as YAML.
        var configuration: String
    }

    struct Adapter: Encodable {
        /// Who writes such keys; absent where the file cannot be used.
        var layout: String?
        /// How many layers have an adapter of each method: `lora`, `dora`, `lokr`, `moe`.
        var methods: [String: Int]?
        /// How many layers with a plain LoRA have each rank, as texts.
        var ranks: [String: Int]?
        var alphas: [String: Int]?
        /// Numbers of experts of mixtures.
        var experts: [String: Int]?
        var expertRanks: [String: Int]?
        var layers: Int?
        /// Why it cannot be used.
        var fault: String?
        /// What is said of it.
        var lines: [String]
    }

    struct Model: Encodable {
        var part: String
        var layout: String
        var prefix: String
        var summary: String
        var tensors: Count
        /// The proportions in words; absent where they cannot be told.
        var proportions: String?
        /// Why it is no whole model.
        var fault: String?
    }

    /// How many tensors and numbers there are, and of which types.
    struct Count: Encodable {
        var count: Int
        var numbers: Int
        var types: [String: Int]

        init(_ archive: any TensorArchive) {
            types = [:]
            for name in archive.names {
                let info = archive.info(name)
                let type = info?.typeName ?? "unsupported"
                types[type] = Self.sum(types[type] ?? 0, info?.shape.count ?? 0)
            }
            count = archive.names.count
            numbers = types.values.reduce(0, Self.sum)
        }

        /// Shapes of HDF5 datasets need nothing of their file: a few together can be more than any number.
        private static func sum(_ a: Int, _ b: Int) -> Int {
            let (sum, overflow) = a.addingReportingOverflow(b)
            return overflow ? .max : sum
        }
    }

    struct Tensors: Encodable {
        var total: Count
        var list: [Entry]

        struct Entry: Encodable {
            var name: String
            /// The type as the file spells it; absent where it is none that can be held.
            var type: String?
            var shape: [Int]?
        }
    }

    private enum CodingKeys: String, CodingKey {
        case path, kind, file, version, image, dataset, pipeline, checkpoint, adapter, models, missing, metadata,
            tensors
    }
}
