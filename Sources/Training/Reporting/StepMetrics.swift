import Adapters
import TensorIO

/// What is known about one optimizer step; one line of the ``MetricLog``.
///
/// Its keys in JSON are in snake case, in the order of the properties; what is `nil` is left out, and a number that JSON
/// cannot hold (NaN, infinity) is `null`.
public struct StepMetrics: Equatable, Sendable {
    /// The optimizer step, counted from 1.
    public var step: Int
    /// The whole training loss.
    public var loss: Double
    /// Its mean squared error, where it has one.
    public var mse: Double?
    /// The load-balancing loss before its weight, averaged over the mixtures.
    public var loadBalance: Double?
    /// The router's z-loss before its weight, averaged over the mixtures.
    public var routerZ: Double?
    /// Norm of the whole gradient before it is clipped.
    public var gradNorm: Double?
    /// The learning rate of the schedule.
    public var learningRate: Double
    /// Prodigy's estimate of the distance.
    public var d: Double?
    /// Wall time of the step, in seconds.
    public var seconds: Double
    /// Of these, what was spent waiting for samples that were not read yet.
    public var dataSeconds: Double?
    /// Samples a second in this step.
    public var samplesPerSecond: Double
    /// The share of the tokens that each expert got, by module name.
    public var load: [String: [Double]]?
    /// Further terms of the loss before their weights, by name.
    public var terms: [String: Double]?
    /// What an evaluation after this step measured, by name.
    public var evaluation: [String: Double]?

    /// Collects a step's figures.
    public init(
        step: Int, loss: Double, mse: Double? = nil, loadBalance: Double? = nil, routerZ: Double? = nil,
        gradNorm: Double? = nil, learningRate: Double, d: Double? = nil, seconds: Double,
        dataSeconds: Double? = nil, samplesPerSecond: Double,
        load: [String: [Double]]? = nil, terms: [String: Double]? = nil, evaluation: [String: Double]? = nil
    ) {
        self.step = step
        self.loss = loss
        self.mse = mse
        self.loadBalance = loadBalance
        self.routerZ = routerZ
        self.gradNorm = gradNorm
        self.learningRate = learningRate
        self.d = d
        self.seconds = seconds
        self.dataSeconds = dataSeconds
        self.samplesPerSecond = samplesPerSecond
        self.load = load
        self.terms = terms
        self.evaluation = evaluation
    }

    /// Takes a step's figures; its times are filled in later.
    init(step: Int, _ figures: BatchFigures, gradNorm: Double, learningRate: Double) {
        self.init(
            step: step, loss: figures.loss, mse: figures.meanSquaredError, loadBalance: figures.loadBalance,
            routerZ: figures.routerZ, gradNorm: gradNorm, learningRate: learningRate, seconds: 0, samplesPerSecond: 0,
            load: figures.routing.isEmpty
                ? nil
                : Dictionary(
                    uniqueKeysWithValues: figures.routing.map { ($0.layer, $0.load.map(Double.init)) }),
            terms: figures.terms.isEmpty ? nil : figures.terms)
    }

    /// One line of JSON without its line feed. Every number reads back bit for bit.
    public var json: String {
        var members = [JSONValue.Member(key: "step", value: JSONValue(step))]
        func add(_ key: CodingKeys, _ value: Double?) {
            if let value { members.append(JSONValue.Member(key: key.rawValue, value: Self.json(value))) }
        }
        add(.loss, loss)
        add(.mse, mse)
        add(.loadBalance, loadBalance)
        add(.routerZ, routerZ)
        add(.gradNorm, gradNorm)
        add(.learningRate, learningRate)
        add(.d, d)
        add(.seconds, seconds)
        add(.dataSeconds, dataSeconds)
        add(.samplesPerSecond, samplesPerSecond)
        if let load {
            let shares = JSONValue(fields: load.mapValues { .array($0.map(Self.json)) })
            members.append(JSONValue.Member(key: CodingKeys.load.rawValue, value: shares))
        }
        for (key, figures) in [(CodingKeys.terms, terms), (.evaluation, evaluation)] {
            guard let figures else { continue }
            members.append(JSONValue.Member(key: key.rawValue, value: JSONValue(fields: figures.mapValues(Self.json))))
        }
        return JSONValue.object(members).text(.spaced)
    }

    private static func json(_ value: Double) -> JSONValue {
        JSONNumber(value, keepsFraction: true).map(JSONValue.number) ?? .null
    }
}

extension StepMetrics: Decodable {
    fileprivate enum CodingKeys: String, CodingKey {
        case step, loss, mse, d, seconds, load, terms, evaluation
        case loadBalance = "load_balance"
        case routerZ = "router_z"
        case gradNorm = "grad_norm"
        case learningRate = "learning_rate"
        case dataSeconds = "data_seconds"
        case samplesPerSecond = "samples_per_second"
    }

    /// Reads one object; a number that is `null` is NaN.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        func number(_ key: CodingKeys) throws -> Double {
            try values.decodeNil(forKey: key) ? .nan : values.decode(Double.self, forKey: key)
        }
        func optional(_ key: CodingKeys) throws -> Double? { values.contains(key) ? try number(key) : nil }
        step = try values.decode(Int.self, forKey: .step)
        loss = try number(.loss)
        mse = try optional(.mse)
        loadBalance = try optional(.loadBalance)
        routerZ = try optional(.routerZ)
        gradNorm = try optional(.gradNorm)
        learningRate = try number(.learningRate)
        d = try optional(.d)
        seconds = try number(.seconds)
        dataSeconds = try optional(.dataSeconds)
        samplesPerSecond = try number(.samplesPerSecond)
        load = try values.decodeIfPresent([String: [Double?]].self, forKey: .load)?
            .mapValues { $0.map { $0 ?? .nan } }
        func figures(_ key: CodingKeys) throws -> [String: Double]? {
            try values.decodeIfPresent([String: Double?].self, forKey: key)?.mapValues { $0 ?? .nan }
        }
        terms = try figures(.terms)
        evaluation = try figures(.evaluation)
    }
}
