/// What decides a run: with the seed in it, a run is a function of this value. It is read from YAML, and every run, of
/// adapters or of a whole base, has these sections for its loop.
public protocol RunSettings: Sendable, Equatable {
    /// What such a run trains.
    associatedtype Task: TrainingTask where Task.Settings == Self

    /// What turns gradients into steps.
    var optimizer: RunConfiguration.Optimizer { get set }
    /// How the learning rate moves.
    var schedule: RunConfiguration.Schedule { get set }
    /// The loop.
    var training: RunConfiguration.Training { get set }
    /// What is written where.
    var output: RunConfiguration.Output { get set }
    /// Steps between two evaluations; 0 is never.
    var evaluationInterval: Int { get }

    /// The keys of the YAML.
    static var schema: ConfigurationSchema<Self> { get }

    /// Checks that the files that the run begins from are there and that its folder can be made.
    ///
    /// Throws ``ConfigurationError`` with all faults, in which `source` names the file that the configuration came from. A run
    /// that goes on does not read again what it began from.
    func validateFiles(source: String, isResuming: Bool) throws

    /// What may not have changed since a run began although its keys may: messages by key.
    func conflicts(with earlier: Self) -> [(key: String, message: String)]
}

extension RunSettings {
    /// No evaluation.
    public var evaluationInterval: Int { 0 }

    /// Nothing.
    public func conflicts(with earlier: Self) -> [(key: String, message: String)] { [] }

    /// Checks the files of a run that begins; see ``validateFiles(source:isResuming:)``.
    public func validateFiles(source: String = "configuration") throws {
        try validateFiles(source: source, isResuming: false)
    }
}
