public import DiptychData
public import InContextEdit
public import Models
public import Optimizers
public import TensorCore
public import TensorIO

/// Everything that decides a training run: with the seed in it, a run is a function of this value.
///
/// It is read from YAML with ``load(_:overrides:)``, whose keys are the properties in snake case; `documentation`
/// lists them all. The defaults are the recipe of ICEdit (arXiv 2504.20690) for FLUX.1-Fill.
///
///     let run = try RunConfiguration.load("Configs/demo.yaml", overrides: ["training.steps=100"])
public struct RunConfiguration: RunSettings, Codable {
    /// Such a run trains adapters.
    public typealias Task = AdapterTask

    /// The frozen pipeline.
    public var base: Base
    /// The edit pairs and how they become samples.
    public var data: Data
    /// What is trained.
    public var adapter = Adapter()
    /// What turns gradients into steps.
    public var optimizer = Optimizer()
    /// How the learning rate moves.
    public var schedule = Schedule()
    /// What is minimised.
    public var objective = Objective()
    /// The loop.
    public var training = Training()
    /// What is written where.
    public var output: Output

    /// The default recipe for a pipeline folder, a data folder and a folder for the results.
    public init(basePath: String, dataPath: String, outputFolder: String) {
        base = Base(path: basePath)
        data = Data(path: dataPath)
        output = Output(folder: outputFolder)
    }
}

extension RunConfiguration {
    /// The frozen pipeline.
    public struct Base: Codable, Sendable, Equatable {
        /// A folder in diffusers' layout, or one with the tokenizers where all models are named.
        public var path: String
        /// How the base is asked for an edit.
        public var framework = FrameworkName.fill
        /// The transformer's file instead of the folder's.
        public var transformer: String?
        /// The autoencoder's file instead of the folder's.
        public var vae: String?
        /// The CLIP text encoder's file instead of the folder's.
        public var clip: String?
        /// The T5 text encoder's file instead of the folder's.
        public var t5: String?
        /// The type of the activations; frozen weights stay in their type.
        public var precision = ActivationType.bfloat16
        /// The type of the autoencoder's activations.
        public var vaePrecision = ActivationType.float32
        /// When the autoencoder works tile by tile.
        public var vaeTiling = AutoencoderTiling.Mode.automatic
        /// Rows of pixels in a tile.
        public var vaeTileSize = 64
        /// The type of the text encoders' activations.
        public var textEncoderPrecision = ActivationType.float32
    }

    /// The edit pairs and how they become samples.
    public struct Data: Codable, Sendable, Equatable {
        /// A dataset folder.
        public var path: String
        /// Pixels.
        public var panelWidth = 512
        /// Pixels.
        public var panelHeight = 512
        /// How the two panels of a diptych lie.
        public var panelLayout = PanelLayoutChoice.beside
        /// T5 tokens a prompt is padded and cut to.
        public var maxSequenceLength = 512
        /// How an instruction becomes a prompt.
        public var promptForm = PromptForm.inContext
        /// The probability that a sample is trained without its text.
        public var textDrop = 0.1
        /// Whether latents and text embeddings stay in memory after the first pass.
        public var cacheLatents = true
        /// Whether each pass has its own order.
        public var shuffle = true
        /// Further datasets.
        public var also: [Dataset] = []
        /// How often the pairs of each dataset come in a pass; empty is once.
        public var weights: [Double] = []
        /// The datasets' own names of columns, each `name=column`.
        public var columns: [String] = []
        /// The tasks to keep; empty keeps all.
        public var tasks: [String] = []
        /// The least score of a pair that has one.
        public var minimumScore: Double?
        /// For each dataset a divisor: the bottom `height / divisor` rows of its pictures are cut off. Empty keeps all.
        public var cropBottom: [Int] = []
        /// What transparent parts of pictures are laid over.
        public var background = ImageBackground.white
        /// Whether lists may name pictures outside their dataset's folder.
        public var allowOutside = false
        /// Whether targets may have other proportions than their sources.
        public var allowMismatch = false
        /// Which of a pair's instructions is taken.
        public var instruction = DrawOptions.Instruction.first
        /// The probability that a pair is mirrored.
        public var mirror = 0.0
        /// The least share of a picture's sides that a random crop keeps.
        public var cropScale = 1.0
        /// The shapes of panels, `WxH`; empty is one of `panelWidth` and `panelHeight`.
        public var buckets: [String] = []
        /// Whether prompts keep their padding.
        public var textPadding = TextPadding.full
        /// The folder of a cache that `diptych data encode` has made.
        public var cache: String?
        /// The type of what the cache stores.
        public var cachePrecision = ActivationType.bfloat16
        /// What happens with a pair that cannot be read.
        public var onError = OnError.stop
        /// Whether every picture is decoded once before the first step.
        public var checkFirst = true
        /// Threads that read ahead.
        public var workers = 2
        /// Samples that are read ahead at most.
        public var prefetch = 16
    }

    /// Whether prompts keep their padding.
    public enum TextPadding: String, CaseIterable, Codable, Sendable {
        /// To the whole length, as upstream: the model attends to padding.
        case full
        /// To the next 64 tokens, batches by length.
        case trimmed
    }

    /// What happens with a pair that cannot be read.
    public enum OnError: String, CaseIterable, Codable, Sendable {
        /// The run does not begin.
        case stop
        /// The next pair takes its place.
        case skip
    }

    /// What turns gradients into steps.
    public struct Optimizer: Codable, Sendable, Equatable {
        /// The rule.
        public var name = OptimizerName.prodigy
        /// Step size; a factor of Prodigy's own estimate there.
        public var learningRate = 1.0
        /// Decoupled weight decay.
        public var weightDecay = 0.01
        /// Decay of the two running means.
        public var betas = [0.9, 0.999]
        /// Added to the denominator.
        public var epsilon = 1e-8
        /// Prodigy: Adam's bias correction.
        public var biasCorrection = true
        /// Prodigy: leave the learning rate out of the estimate's denominator, for runs with warm-up.
        public var safeguardWarmup = true
        /// Prodigy: first estimate of the distance.
        public var d0 = 1e-6
        /// Prodigy: a factor of the estimate.
        public var dCoef = 1.0
        /// Largest norm of the whole gradient; 0 is no limit.
        public var gradientClip = 0.5
        /// Creates the default.
        public init() {}
    }

    /// A rule that turns gradients into steps.
    public enum OptimizerName: String, CaseIterable, Codable, Sendable {
        /// Adam with decoupled weight decay (arXiv 1711.05101).
        case adamw
        /// Adam that estimates its own step size (arXiv 2306.06101).
        case prodigy
    }

    /// How the learning rate moves.
    public struct Schedule: Codable, Sendable, Equatable {
        /// The curve after the warm-up.
        public var name = LearningRateSchedule.Shape.constant
        /// Optimizer steps over which the rate rises from zero.
        public var warmupSteps = 0
        /// Creates the default.
        public init() {}
    }

    /// The loop.
    public struct Training: Codable, Sendable, Equatable {
        /// Optimizer steps.
        public var steps = 50_000
        /// Samples in one pass through the model.
        public var batchSize = 1
        /// Passes whose gradients are averaged for one optimizer step.
        public var accumulate = 2
        /// Seed of initialisation, order, noise, timesteps and text drop.
        public var seed = 0
        /// The guidance scale, fed to the guidance embedding.
        public var guidance = 1.0
        /// Whether blocks are computed again in the backward pass instead of kept.
        public var gradientCheckpointing = true
        /// Threads; 0 is one for each processor.
        public var threads = 0
        /// The most memory that the run may take, such as `12GiB`; `nil` is no limit.
        public var memory: String?
        /// Decay of an exponential moving average of the adapter; `nil` keeps none.
        public var emaDecay: Double?
        /// Whether a loss that is not a number ends the run.
        public var stopOnNan = true
        /// Creates the default.
        public init() {}
    }

    /// What is minimised.
    public struct Objective: Codable, Sendable, Equatable {
        /// The distribution of t.
        public var timestepSampling = TimeSampling.logitNormal
        /// Mean of the normal under the sigmoid.
        public var timestepMean = 0.0
        /// Its standard deviation.
        public var timestepStd = 1.0
        /// How far times are moved towards noise.
        public var timestepShift = 3.0
        /// How the error at a time counts.
        public var weighting = TimeWeighting.none
        /// Creates the default.
        public init() {}

        /// What the section means.
        public var value: InContextEdit.Objective {
            InContextEdit.Objective(
                times: timestepSampling.distribution(
                    mean: timestepMean, deviation: timestepStd, shift: timestepShift), weighting: weighting)
        }
    }

    /// What is written where.
    public struct Output: Codable, Sendable, Equatable {
        /// The run's folder.
        public var folder: String
        /// Steps between two lines of the metric log.
        public var logEvery = 1
        /// Steps between two checkpoints; 0 writes one at the end only.
        public var checkpointEvery = 1000
        /// Minutes of training between two checkpoints, beside those by steps; 0 is never.
        public var checkpointMinutes = 30.0
        /// Checkpoints that stay; 0 keeps all.
        public var keepCheckpoints = 3
        /// Name of the metric log inside the folder.
        public var metrics = "metrics.jsonl"
    }
}
