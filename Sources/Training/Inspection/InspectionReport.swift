public import Adapters
import TensorCore
public import TensorIO

/// What an ``Inspection`` finds, as a value that can be encoded; what does not apply is nil. `Documentation/JSON.md` lists the
/// keys.
public struct InspectionReport: Encodable {
    /// What a file or folder is, told from its content.
    public enum Kind: String, Encodable {
        case image, dataset, pipeline, checkpoint, adapter, safetensors, gguf, tensors
    }

    /// As the user named it.
    public var path: String
    /// What it is.
    public var kind: Kind
    /// The file that is described where `path` only leads to it: a run's latest checkpoint, a folder's model.
    public var file: String?
    /// The version of the file's format.
    public var version: Int?
    /// A picture's.
    public var image: Size?
    /// A dataset's.
    public var dataset: Dataset?
    /// A pipeline folder's.
    public var pipeline: Pipeline?
    /// A checkpoint's, or that of a run's latest.
    public var checkpoint: Checkpoint?
    /// An adapter file's.
    public var adapter: Adapter?
    /// The models among the tensors.
    public var models: [Model]?
    /// What a pipeline needs besides the models, as the program that prints this spells it; it sets it.
    public var missing: [String]?
    /// The header's texts.
    public var metadata: [String: String]?
    /// The header's keys in the order of the lines.
    public var metadataKeys: [String] = []
    /// All tensors.
    public var tensors: Tensors?

    /// The size of a picture in pixels.
    public struct Size: Encodable {
        /// Columns.
        public var width: Int
        /// Rows.
        public var height: Int
    }

    /// What a dataset holds.
    public struct Dataset: Encodable {
        /// How many pairs.
        public var pairs: Int
        /// How many pairs have each task; those without one are not counted.
        public var tasks: [String: Int]
    }

    /// What a pipeline folder holds.
    public struct Pipeline: Encodable {
        /// The class of diffusers.
        public var pipelineClass: String
        /// Its models, tokenizers and scheduler.
        public var parts: [Part]

        /// A folder of the pipeline.
        public struct Part: Encodable {
            /// The folder's name.
            public var name: String
            /// Whether the folder is there.
            public var isThere: Bool
            /// The class that the index claims.
            public var partClass: String?
            /// Its tensors, where they can be read.
            public var tensors: Count?
            /// The proportions in words.
            public var proportions: String?
        }
    }

    /// What a checkpoint says of its run.
    public struct Checkpoint: Encodable {
        /// Optimizer steps done.
        public var step: Int
        /// Passes over the data done.
        public var epoch: Int
        /// Samples of the present pass done.
        public var position: Int
        /// Samples of a pass.
        public var pairs: Int
        /// Seconds of training.
        public var seconds: Double
        /// Whether a moving average of the weights is there.
        public var hasAverage: Bool
        /// Numbers of the frozen model.
        public var baseParameters: Int
        /// How the last step's tokens were spread over the experts.
        public var routing: [RoutingStatistics]
        /// The run's configuration as YAML.
        public var configuration: String
    }

    /// What an adapter file holds.
    public struct Adapter: Encodable {
        /// Who writes such keys; absent where the file cannot be used.
        public var layout: String?
        /// How many layers have each rank, as texts.
        public var ranks: [String: Int]?
        /// How many layers have each alpha, as texts.
        public var alphas: [String: Int]?
        /// Numbers of experts of mixtures.
        public var experts: [String: Int]?
        /// Ranks of the mixtures' experts.
        public var expertRanks: [String: Int]?
        /// Adapted layers.
        public var layers: Int?
        /// Why it cannot be used.
        public var fault: String?
        /// What is said of it.
        public var lines: [String]
    }

    /// A model that is told by the names of its tensors.
    public struct Model: Encodable {
        /// Which part of a pipeline it is.
        public var part: String
        /// Whose names its tensors have.
        public var layout: String
        /// What stands before each name.
        public var prefix: String
        /// Part and layout in words.
        public var summary: String
        /// Its tensors.
        public var tensors: Count
        /// The proportions in words; absent where they cannot be told.
        public var proportions: String?
        /// Why it is no whole model.
        public var fault: String?
    }

    /// How many tensors and numbers there are, and of which types.
    public struct Count: Encodable {
        /// Tensors.
        public var count: Int
        /// Numbers in all of them.
        public var numbers: Int
        /// How many numbers have each type.
        public var types: [String: Int]

        /// Counts the tensors of an archive.
        public init(_ archive: any TensorArchive) {
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

    /// All tensors of a file.
    public struct Tensors: Encodable {
        /// Their count.
        public var total: Count
        /// One for each, in the file's order.
        public var list: [Entry]

        /// A tensor.
        public struct Entry: Encodable {
            /// Its name in the file.
            public var name: String
            /// The type as the file spells it; absent where it is none that can be held.
            public var type: String?
            /// Its shape; absent where it has no type.
            public var shape: [Int]?
        }
    }

    private enum CodingKeys: String, CodingKey {
        case path, kind, file, version, image, dataset, pipeline, checkpoint, adapter, models, missing, metadata,
            tensors
    }
}
