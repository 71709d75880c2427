public import Adapters

extension RunConfiguration {
    /// What is trained.
    public struct Adapter: Codable, Sendable, Equatable {
        /// What training begins with instead of fresh adapters: an adapter's file, a checkpoint or a run's folder.
        public var startFrom: String?
        /// The ordinary LoRA; `nil` trains what the other sections ask for alone.
        public var lora: LoRA? = LoRA()
        /// The weight-decomposed LoRA; `nil` has none.
        public var dora: DoRA?
        /// The Kronecker product; `nil` has none.
        public var lokr: LoKr?
        /// The mixture of LoRA experts; `nil` has none.
        public var moe: MoE?
        /// Creates the default: an ordinary LoRA.
        public init() {}
    }

    /// The adapters to inject: a rule for each section that is there.
    public var adapterConfiguration: AdapterConfiguration {
        AdapterConfiguration(AdapterSection.all.compactMap { $0.rule(self) })
    }
}
