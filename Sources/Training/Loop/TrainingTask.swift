public import Adapters
public import Autograd
public import TensorCore
public import TensorIO

/// What a run trains and learns from: adapters on a frozen base, or a model from the start. ``Trainer`` takes the steps,
/// ``TrainingSession`` keeps the run's folder.
public protocol TrainingTask: AnyObject {
    /// What decides the run.
    associatedtype Settings: RunSettings where Settings.Task == Self
    /// The place in the stream of samples.
    associatedtype Position

    /// Reads what the run begins from, and puts trained parameters and the place in the stream of samples back where
    /// `checkpoint` has them.
    ///
    /// Throws what is wrong with the configuration, the files or the checkpoint. `acceptsChangedData` goes on although the
    /// samples are not those that the run began with; `checking` is told of every sample that is looked at first.
    init(
        _ settings: Settings, resuming checkpoint: RunCheckpoint?, acceptsChangedData: Bool,
        checking: @Sendable (WorkProgress) -> Void) throws

    /// What is trained, by name; `float32`.
    var parameters: [(name: String, parameter: Parameter)] { get }

    /// The place in the stream of samples; setting it takes a step back.
    var position: Position { get set }

    /// Adds the gradient of the next batch, times `share`, to the parameters'.
    func accumulateGradients(share: Float) throws -> BatchFigures

    /// Writes into a checkpoint what the next step depends on besides the parameters and the optimizer.
    func describe(in checkpoint: inout RunCheckpoint)

    /// Measures the model after a step; called every ``RunSettings/evaluationInterval`` steps, with the average's weights in
    /// place where the run keeps one. What it writes goes into the run's folder. Gives figures by name.
    func evaluate(step: Int, in folder: RunFolder) throws -> [String: Double]

    /// Seconds that steps have waited for samples.
    var waitingSeconds: Double { get }

    /// Samples that were left out because they are faulty, each once.
    var skippedSamples: [FileError] { get }
}

extension TrainingTask {
    /// Nothing.
    public func evaluate(step: Int, in folder: RunFolder) throws -> [String: Double] { [:] }

    /// None.
    public var waitingSeconds: Double { 0 }

    /// None.
    public var skippedSamples: [FileError] { [] }
}

/// What is known of a batch after its backward pass.
public struct BatchFigures: Sendable {
    /// The whole loss.
    public var loss: Double
    /// The mean squared error, where the loss has one.
    public var meanSquaredError: Double?
    /// The load-balancing loss before its weight; nil without mixtures.
    public var loadBalance: Double?
    /// The router's z-loss before its weight; nil without mixtures.
    public var routerZ: Double?
    /// Further terms of the loss, each before its weight, by name.
    public var terms: [String: Double] = [:]
    /// The routing of each mixture.
    public var routing: [RoutingStatistics] = []

    /// Collects the figures.
    public init(
        loss: Double, meanSquaredError: Double? = nil, loadBalance: Double? = nil, routerZ: Double? = nil,
        terms: [String: Double] = [:], routing: [RoutingStatistics] = []
    ) {
        self.loss = loss
        self.meanSquaredError = meanSquaredError
        self.loadBalance = loadBalance
        self.routerZ = routerZ
        self.terms = terms
        self.routing = routing
    }

    /// The mean of several batches; at least one.
    static func average(_ batches: [BatchFigures]) -> BatchFigures {
        func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
        func optional(_ value: (BatchFigures) -> Double?) -> Double? {
            let values = batches.compactMap(value)
            return values.isEmpty ? nil : mean(values)
        }
        let names = Set(batches.flatMap(\.terms.keys))
        return BatchFigures(
            loss: mean(batches.map(\.loss)), meanSquaredError: optional(\.meanSquaredError),
            loadBalance: optional(\.loadBalance), routerZ: optional(\.routerZ),
            terms: Dictionary(
                uniqueKeysWithValues: names.map { name in (name, mean(batches.compactMap { $0.terms[name] })) }),
            routing: RoutingStatistics.average(batches.map(\.routing)))
    }
}
