public import Adapters
public import Optimizers
public import TensorIO

/// Everything that a run needs to go on as if it had never stopped, and that an export needs to be told.
public struct RunCheckpoint: Sendable {
    /// Optimizer steps done.
    public var step: Int
    /// The run's configuration as canonical YAML.
    public var configuration: String
    /// The adapter's parameters by name, `float32`.
    public var parameters: MemoryArchive
    /// The optimizer's moments and counters.
    public var optimizer: OptimizerState
    /// The moving average of the parameters, if the run keeps one.
    public var average: OptimizerState?
    /// The state of the generator of noise, times and dropped text.
    public var random: [UInt32] = []
    /// The place in the order of samples.
    public var epoch = 0, position = 0
    /// The number of pairs of the dataset, to notice another one.
    public var sampleCount = 1
    /// Seconds of training behind the checkpoint, over all its sessions.
    public var seconds: Double
    /// Elements of the base's parameters, to notice another base.
    public var baseParameterCount = 0
    /// What tells the base and the pairs from others; nil in a checkpoint of version 1.
    public var fingerprints: RunFingerprints?
    /// Steps whose lines the metric log may lack, since its disk was full.
    public var metrics: [StepMetrics] = []
    /// The last step's routing.
    public var routing: [RoutingStatistics]

    /// The moving average of the parameters under their own names; nil when the run keeps none.
    public var averagedParameters: MemoryArchive? {
        let prefix = "average/"
        return average.map { average in
            MemoryArchive(
                path: parameters.path,
                average.tensors.filter { $0.name.hasPrefix(prefix) }.map {
                    (String($0.name.dropFirst(prefix.count)), $0.tensor)
                })
        }
    }
}
