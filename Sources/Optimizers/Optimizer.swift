public import Autograd
public import TensorCore

/// What turns gradients into new parameter values.
///
/// An optimizer never writes into a tensor that somebody else may hold: it replaces each parameter's value, and its own
/// moments, by fresh tensors. A retained tape, a snapshot of ``state`` or a checkpoint being written therefore keeps
/// seeing the values of its own step. Replacing a parameter also drops its gradient, so the next step begins clean.
///
/// ```swift
/// let norm = clipGradientNorm(adapters.parameters, maximum: 0.5)
/// optimizer.update(adapters.parameters, learningRate: schedule(step))
/// ```
public protocol Optimizer: AnyObject {
    /// The number of updates so far.
    var stepCount: Int { get }

    /// Takes one step with the gradients that the parameters hold; a parameter without a gradient is left alone.
    ///
    /// Parameters must be `float32` and trained, and keep their names from step to step.
    func update(_ parameters: [(name: String, parameter: Parameter)], learningRate: Float)

    /// Everything that the next steps depend on.
    var state: OptimizerState { get }

    /// Continues where ``state`` was taken. Throws ``OptimizerStateError`` when the state is of another optimizer or does
    /// not fit the parameters; nothing has changed then.
    func restore(_ state: OptimizerState, for parameters: [(name: String, parameter: Parameter)]) throws
}

/// What a checkpoint keeps of an optimizer.
public struct OptimizerState: Sendable {
    /// Numbers by name, `step` among them.
    public var scalars: [String: Double]
    /// Tensors by name, `{kind}/{parameter}`: snapshots that later steps do not change.
    public var tensors: [(name: String, tensor: Tensor)]

    /// Collects a state, read from a checkpoint for instance.
    public init(scalars: [String: Double], tensors: [(name: String, tensor: Tensor)]) {
        self.scalars = scalars
        self.tensors = tensors
    }
}

/// Why an optimizer cannot continue from a state.
public struct OptimizerStateError: Error, CustomStringConvertible, Equatable, Sendable {
    /// The number or tensor at fault.
    public let name: String
    /// What was expected there.
    public let expected: String
    /// What was found instead.
    public let found: String

    /// One line.
    public var description: String { "optimizer state, \(name): expected \(expected), found \(found)" }
}
